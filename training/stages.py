"""The training loop: stages, one after another, each with its own picture size and rates.

Owns the optimiser, the schedule and the sampling. What is learnt is given as a ``Learner``; this
module does not know whether it is an expert or zero-shot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from fishgate.preprocessing import Preprocessing
from training.augment import augment

WEIGHT_DECAY = 0.02
MAX_GRADIENT_NORM = 5.0  # a rare bad batch must not throw the weights far off


@dataclass(frozen=True)
class Stage:
    """One stage: passes over the pictures, picture size and the highest rate of each part.

    A ``backbone_rate`` of 0 leaves the backbone as it is.
    """

    name: str
    epochs: int
    size_px: int
    head_rate: float
    backbone_rate: float
    batch: int


@dataclass(frozen=True)
class Examples:
    """Training pictures, shape (examples, height, width, 3), and the label of each."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


class Learner(Protocol):
    """A network being trained: its parameters in two parts, its modes and its loss."""

    head: list[nn.Parameter]
    backbone: list[nn.Parameter]

    def set_training(self) -> None:
        """Put the network in the mode for training."""

    def loss(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of a normalised batch (B, 3, H, W) with its labels (B,)."""


def run_stage(learner: Learner, stage: Stage, examples: Examples, preprocessing: Preprocessing) -> None:
    """Train through one stage with AdamW and a one-cycle schedule."""
    learner.set_training()
    for parameter in learner.backbone:
        parameter.requires_grad_(stage.backbone_rate > 0)
    steps = stage.epochs * -(-len(examples.labels) // stage.batch)
    optimiser, schedule = _optimiser(learner, stage, steps)
    progress = tqdm(range(steps), desc=stage.name, unit="step", mininterval=5)
    running = 0.0
    for step in progress:
        pictures, labels = _draw(examples, stage, preprocessing)
        with _half_precision():
            loss = learner.loss(pictures, labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*learner.head, *learner.backbone], MAX_GRADIENT_NORM)
        optimiser.step()
        schedule.step()
        running = loss.item() if step == 0 else 0.98 * running + 0.02 * loss.item()
        progress.set_postfix(loss=f"{running:.3f}", refresh=False)


def _half_precision() -> torch.autocast:
    """Compute in bfloat16 where the processor can: it takes a quarter off the time of a step."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported())


def sampling_weights(labels: NDArray[np.int64]) -> torch.Tensor:
    """Return how likely each example is drawn: a class with n pictures gets a share of √n.

    Halfway between the natural shares, which starve the rare classes, and equal ones, which show
    the few pictures of a rare class over and over.
    """
    counts = np.bincount(labels)
    return torch.from_numpy(1.0 / np.sqrt(counts[labels]))


def _optimiser(
    learner: Learner, stage: Stage, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    parts = [(learner.head, stage.head_rate), (learner.backbone, stage.backbone_rate)]
    groups = [{"params": list(parameters), "lr": rate} for parameters, rate in parts if rate > 0]
    optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
    rates = [float(group["lr"]) for group in optimiser.param_groups]
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps, pct_start=0.2)


def _draw(examples: Examples, stage: Stage, preprocessing: Preprocessing) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = torch.multinomial(sampling_weights(examples.labels), stage.batch, replacement=True).numpy()
    pictures = torch.from_numpy(examples.pixels[chosen]).permute(0, 3, 1, 2).float()  # (B, 3, H, W)
    pictures = augment(pictures.contiguous(), stage.size_px) / 255.0
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    pictures = ((pictures - mean) / std).contiguous(memory_format=torch.channels_last)
    return pictures, torch.from_numpy(examples.labels[chosen])
