"""A linear head on features that stay as they are: the mathematics of a linear probe.

Owns the training of the head on plain arrays; it does not know encoders or photographs. The probe is
that of Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
with a gradient method in place of L-BFGS.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from training.clip_settings import Probe
from training.features import Features

Labels = NDArray[np.int64]

_LEAST_SPREAD = 1e-6  # a feature that never changes must not be divided by nothing


@dataclass(frozen=True)
class LabelledFeatures:
    """Features (N, D) and the label of each, (N,)."""

    features: Features
    labels: Labels


@dataclass(frozen=True)
class LinearHead:
    """What turns features of length 1 into logits: weight (classes, D) and bias (classes,)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: Features) -> NDArray[np.float32]:
        """Return the logits (N, classes) of features (N, D) of any length."""
        return np.asarray(unit(features) @ self.weight.T + self.bias)


@dataclass(frozen=True)
class Trained:
    """The head after its last epoch, the figures of each epoch, and the rate of each step."""

    head: LinearHead
    history: list[dict[str, Any]]
    rates: list[float]


def unit(features: Features) -> Features:
    """Bring each feature to length 1, as the zero-shot baseline does."""
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), _LEAST_SPREAD))


def train_head(
    train: LabelledFeatures, validation: LabelledFeatures | None, *, classes: int, settings: Probe, seed: int
) -> Trained:
    """Train a head by cross-entropy; the same seed gives the same head."""
    training = _Training(train, classes=classes, settings=settings, seed=seed)
    history = [training.run_epoch(number) | _watched(training.head(), validation) for number in _epochs(settings)]
    return Trained(training.head(), history, training.rates)


class _Training:
    """A head under way."""

    def __init__(self, train: LabelledFeatures, *, classes: int, settings: Probe, seed: int) -> None:
        self._spread = _Spread.of(unit(train.features))
        self._inputs = torch.from_numpy(self._spread.evened(unit(train.features)))  # (N, D)
        self._labels = torch.from_numpy(train.labels)
        self._batch = settings.batch
        self._chance = torch.Generator().manual_seed(seed)
        self._layer = nn.Linear(self._inputs.shape[1], classes)
        nn.init.zeros_(self._layer.weight)  # the problem is convex: the start is of no account
        nn.init.zeros_(self._layer.bias)
        self._optimiser = torch.optim.AdamW(
            self._layer.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
        )
        steps = settings.epochs * -(-len(self._labels) // settings.batch)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimiser, T_max=steps)
        self.rates: list[float] = []

    def run_epoch(self, number: int) -> dict[str, Any]:
        """Pass over the features once; return the figures of the epoch."""
        started, loss, hits = time.monotonic(), 0.0, 0
        for rows in torch.split(torch.randperm(len(self._labels), generator=self._chance), self._batch):
            step_loss, step_hits = self._step(rows)
            loss, hits = loss + step_loss * len(rows), hits + step_hits
        return {
            "stage": "linear head",
            "epoch": number,
            "train_loss": round(loss / len(self._labels), 5),
            "train_accuracy": round(hits / len(self._labels), 5),
            "head_rate": self.rates[-1],
            "backbone_rate": 0.0,
            "seconds": round(time.monotonic() - started, 3),
        }

    def head(self) -> LinearHead:
        """Return the head as it stands."""
        return self._spread.folded(self._layer)

    def _step(self, rows: torch.Tensor) -> tuple[float, int]:
        self.rates.append(float(self._schedule.get_last_lr()[0]))
        scores, labels = self._layer(self._inputs[rows]), self._labels[rows]
        loss = nn.functional.cross_entropy(scores, labels)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._schedule.step()
        return loss.item(), int((scores.argmax(dim=1) == labels).sum())


def _epochs(settings: Probe) -> Iterator[int]:
    yield from tqdm(range(1, settings.epochs + 1), desc="linear head", unit="epoch", mininterval=5)


@dataclass(frozen=True)
class _Spread:
    """Mean and standard deviation of each feature in training, each (D,)."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @classmethod
    def of(cls, features: Features) -> _Spread:
        return cls(features.mean(axis=0), np.maximum(features.std(axis=0), _LEAST_SPREAD))

    def evened(self, features: Features) -> Features:
        """Give each feature mean 0 and deviation 1, so that one rate suits them all."""
        return np.asarray((features - self.mean) / self.deviation, dtype=np.float32)

    def folded(self, layer: nn.Linear) -> LinearHead:
        """Return the same head for features that are not evened."""
        weight = np.asarray(layer.weight.detach().numpy() / self.deviation, dtype=np.float32)
        bias = np.asarray(layer.bias.detach().numpy() - weight @ self.mean, dtype=np.float32)
        return LinearHead(weight, bias)


def _watched(head: LinearHead, validation: LabelledFeatures | None) -> dict[str, Any]:
    if validation is None:
        return {"validation_loss": None, "validation_accuracy": None}
    logits = torch.from_numpy(head.logits(validation.features))
    labels = torch.from_numpy(validation.labels)
    accuracy = float((logits.argmax(dim=1) == labels).float().mean())
    loss = nn.functional.cross_entropy(logits, labels).item()
    return {"validation_loss": round(loss, 5), "validation_accuracy": round(accuracy, 5)}
