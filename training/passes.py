"""One stage at work: passes over the examples, step by step.

Owns what a step does. When a stage ends and what is kept is said by ``training.stages``.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from training.augment import augment
from training.course import Course, Rows
from training.optimisation import (
    BACKBONE,
    HEAD,
    Average,
    Learner,
    Precision,
    make_optimiser,
    make_schedule,
    mix,
    rates_of,
)
from training.recipe import Stage
from training.validation import measure

State = dict[str, torch.Tensor]
RateLists = dict[str, list[float]]


@dataclass(frozen=True)
class Figures:
    """The mean loss and the accuracy of one pass."""

    loss: float
    accuracy: float


class Tools:
    """What one stage works with: its optimiser, schedule, number format and average."""

    def __init__(self, learner: Learner, course: Course, stage: Stage) -> None:
        self._learner, self._course, self._stage = learner, course, stage
        for parameter in learner.backbone:
            parameter.requires_grad_(stage.backbone_rate > 0)
        for parameter in learner.head:
            parameter.requires_grad_(stage.head_rate > 0)
        self._optimiser = make_optimiser(learner, stage)
        steps = stage.epochs * len(_starts(course.sampling.count, stage.batch))
        self._schedule = make_schedule(self._optimiser, stage, steps=steps)
        self._precision = Precision(course.device)
        self._average = Average(learner.network, stage.average) if stage.average else None

    def run_pass(self, rows: Rows, described: str, rates: RateLists) -> Figures:
        """Train on these examples once; return the mean loss and accuracy, and note the rates."""
        self._learner.set_training()
        losses, hits = 0.0, 0.0
        starts = tqdm(_starts(len(rows), self._stage.batch), desc=described, unit="step", mininterval=5)
        for done, start in enumerate(starts, 1):
            present = rates_of(self._optimiser)
            loss, hit = self._step(rows[start : start + self._stage.batch])
            losses, hits = losses + loss, hits + hit
            rates["step"].append(len(rates["step"]))
            rates["head_rate"].append(present[HEAD])
            rates["backbone_rate"].append(present[BACKBONE])
            starts.set_postfix(loss=f"{losses / done:.3f}", rate=f"{max(present.values()):.1e}", refresh=False)
        return Figures(round(losses / len(starts), 5), round(hits / len(starts), 5))

    def validate(self) -> Figures | None:
        """Measure the weights that would be kept on the validation pictures, None if there are none."""
        course = self._course
        if course.validation is None or not len(course.validation):
            return None
        with self._average.in_place() if self._average else nullcontext():
            loss, accuracy = measure(self._learner, course.validation, course.preprocessing, self._precision)
        return Figures(round(loss, 5), round(accuracy, 5))

    def weights(self) -> State:
        """Return a copy of the weights that would be kept."""
        with self._average.in_place() if self._average else nullcontext():
            return {name: tensor.detach().clone() for name, tensor in self._learner.network.state_dict().items()}

    def finish(self) -> None:
        """Leave the network with the averaged weights, if they are averaged."""
        if self._average:
            self._average.put_in_place()

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        parts = self._parts()
        return {name: part.state_dict() for name, part in parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        parts = {"optimiser": self._optimiser, "schedule": self._schedule, "scaler": self._precision.scaler}
        return parts | ({"average": self._average} if self._average else {})

    def _step(self, rows: Rows) -> tuple[float, float]:
        pictures, labels = self._batch(rows)
        others, share = torch.arange(len(labels)), 0.0
        if self._stage.mixup:
            pictures, others, share = mix(pictures, self._stage.mixup)
        other_labels = labels[others.to(labels.device)]
        with self._precision.autocast():
            scores = self._learner.scores(pictures)
        loss = (1 - share) * self._loss(scores, labels) + share * self._loss(scores, other_labels)
        loss = loss + self._exposure_loss()
        self._precision.step(loss, self._optimiser)
        self._schedule.step()
        if self._average:
            self._average.update()
        best = scores.argmax(dim=1)
        hits = (1 - share) * (best == labels).float().mean() + share * (best == other_labels).float().mean()
        return loss.item(), hits.item()

    def _loss(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(scores.float(), labels, label_smoothing=self._stage.label_smoothing)

    def _exposure_loss(self) -> torch.Tensor | float:
        """Return the loss on pictures of no class. A head on a frozen backbone learns nothing from them."""
        outliers = self._course.outliers
        if outliers is None or not self._stage.backbone_rate:
            return 0.0
        pictures = self._changed(outliers.draw())
        with self._precision.autocast():
            scores = self._learner.scores(pictures)
        return outliers.loss(scores)

    def _batch(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Return pictures (B, 3, H, W) and their labels (B,) on the device."""
        train = self._course.train
        labels = torch.from_numpy(train.labels[rows]).to(self._course.device)
        return self._changed(train.pictures.take(rows)), labels

    def _changed(self, pixels_of_batch: NDArray[np.uint8]) -> torch.Tensor:
        """Return changed and normalised pictures (B, 3, H, W) on the device."""
        course = self._course
        pixels = torch.from_numpy(pixels_of_batch).to(course.device)
        pictures = pixels.permute(0, 3, 1, 2).float().contiguous()  # (B, 3, H, W)
        size_px = self._stage.size_px or course.preprocessing.width_px
        pictures = augment(pictures, size_px, course.strength) / 255.0
        mean = torch.tensor(course.preprocessing.mean, device=course.device).view(1, 3, 1, 1)
        std = torch.tensor(course.preprocessing.std, device=course.device).view(1, 3, 1, 1)
        return ((pictures - mean) / std).contiguous(memory_format=torch.channels_last)


def _starts(count: int, batch: int) -> range:
    """Return where batches begin; a last batch of one is left out, of which no variance can be had."""
    return range(0, max(1, count - 1), batch)
