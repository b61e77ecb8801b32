"""Drawn evidence for the gate: classes and outliers as clouds of points, and a network that knows the classes."""

from __future__ import annotations

import numpy as np

from training.gate_evidence import NO_LABEL, Evidence

CLASSES, WIDTH = 3, 12


def known(pictures: int, *, seed: int, spread: float = 0.45) -> Evidence:
    """Pictures of the classes: features near their class's axis, logits by how far along each axis they lie."""
    random = np.random.default_rng(seed)
    labels = np.arange(pictures) % CLASSES
    features = np.eye(CLASSES, WIDTH)[labels] + random.normal(0.0, spread, (pictures, WIDTH)) * _noisy_axes()
    return _evidence(features, labels, [f"g{seed}-{number // 2}" for number in range(pictures)], "expert")


def outlying(pictures: int, *, seed: int, domain: str = "other_species") -> Evidence:
    """Pictures of no class: they lie along axes that no class uses, but a little along one of a class too."""
    random = np.random.default_rng(seed)
    features = 0.8 * np.eye(CLASSES, WIDTH)[np.arange(pictures) % CLASSES]
    features[:, CLASSES + 2 :] += random.normal(0.0, 0.5, (pictures, WIDTH - CLASSES - 2))
    labels = np.full(pictures, NO_LABEL)
    return _evidence(features, labels, [f"o{seed}-{number}" for number in range(pictures)], domain)


def _noisy_axes() -> np.ndarray:
    """The classes vary along their own axes and two more, not along the others."""
    return np.where(np.arange(WIDTH) < CLASSES + 2, 1.0, 0.1)


def _evidence(features: np.ndarray, labels: np.ndarray, groups: list[str], domain: str) -> Evidence:
    return Evidence(
        logits=(6.0 * features[:, :CLASSES]).astype(np.float32),
        features=features.astype(np.float32),
        labels=labels.astype(np.int64),
        groups=np.array(groups),
        domains=np.full(len(labels), domain),
    )
