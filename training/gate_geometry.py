"""Where the classes lie in feature space: fitted to the pictures trained on, stored beside the weights.

Owns the fit and the file. How far a picture lies from the nearest class, ``fishgate.gate_score`` says.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from fishgate.gate_score import MEANS, WHITENING, Geometry
from fishgate.model_card import Weights

GEOMETRY_FILE = "features.safetensors"

DIRECTIONS = 128
"""Feature space is measured along this many directions of greatest variance: the others hold little but noise,
and the stored file stays under half a megabyte."""

SHRINKAGE = 0.1
"""Share of a round covariance that is mixed into the one seen: a direction in which few pictures happen to
vary little must not dominate the distance."""


def fit_geometry(features: NDArray[np.float32], labels: NDArray[np.int64], *, classes: int) -> Geometry:
    """Fit class means and one shared covariance to features (N, D) of the pictures trained on.

    Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
    attacks", 2018; here on features of length 1 and in the ``DIRECTIONS`` of greatest variance. Stored in
    half precision. Raises ValueError if a class has no picture.
    """
    missing = sorted(set(range(classes)) - set(labels.tolist()))
    if missing:
        raise ValueError(f"class {missing[0]} has no picture, so it has no mean; each of {classes} classes needs one")
    vectors = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    directions = _main_directions(vectors)  # (D, R)
    projected = vectors @ directions
    means = np.stack([projected[labels == label].mean(axis=0) for label in range(classes)])
    whitening = _whitening(projected - means[labels])  # (R, R)
    return Geometry(
        whitening=(directions @ whitening).astype(np.float16), means=(means @ whitening).astype(np.float16)
    )


def geometry_bytes(geometry: Geometry) -> bytes:
    """Return the geometry as the safetensors file that a pack holds."""
    return save({WHITENING: geometry.whitening, MEANS: geometry.means})


def named(geometry: Geometry) -> Weights:
    """Return the name and the hash by which a gate's rule refers to the geometry."""
    return Weights(file=GEOMETRY_FILE, sha256=hashlib.sha256(geometry_bytes(geometry)).hexdigest())


def save_geometry(geometry: Geometry, folder: Path) -> None:
    """Write the geometry into a pack's folder."""
    (folder / GEOMETRY_FILE).write_bytes(geometry_bytes(geometry))


def _main_directions(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)  # columns, least variance first
    return np.asarray(directions[:, ::-1][:, :DIRECTIONS])


def _whitening(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what makes deviations from the class means (N, R) round, of variance 1: (R, R)."""
    covariance = deviations.T @ deviations / len(deviations)
    size = len(covariance)
    rounded = (1.0 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)
    variances, axes = np.linalg.eigh(rounded)
    return np.asarray(axes / np.sqrt(variances))
