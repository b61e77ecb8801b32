"""What a network is trained on and how: all that the loop is given.

Owns the record, and which examples a pass shows. The loop itself is ``training.stages``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from fishgate.preprocessing import Preprocessing
from training import balancing
from training.exposure import Outliers
from training.optimisation import choose_device
from training.pictures import Examples
from training.recipe import Balance, Stage, Strength

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Course:
    """The stages, the examples, and how a pass goes through them.

    ``key`` is the mark of what a checkpoint is for. ``patience`` is that of early stopping, None for
    none. ``outliers`` are shown besides, where the backbone learns.
    """

    stages: Sequence[Stage]
    train: Examples
    validation: Examples | None
    preprocessing: Preprocessing
    sampling: Sampling
    key: str
    strength: Strength = field(default_factory=Strength)
    patience: int | None = None
    outliers: Outliers | None = None
    device: str = field(default_factory=choose_device)


@dataclass(frozen=True)
class Sampling:
    """How many examples each pass shows, and which: ``rows`` tells it by the number of the pass, from 0 on."""

    count: int
    rows: Callable[[int], Rows]


def by_roots(labels: NDArray[np.int64]) -> Sampling:
    """Draw as many examples as there are; a class with n pictures gets a share of √n.

    Halfway between the natural shares, which starve the rare classes, and equal ones, which show
    the few pictures of a rare class over and over.
    """
    weights = torch.from_numpy(1.0 / np.sqrt(np.bincount(labels)[labels]))
    count = len(labels)
    return Sampling(count, lambda _: np.asarray(torch.multinomial(weights, count, replacement=True).numpy()))


def by_balance(labels: NDArray[np.int64], balance: Balance, *, seed: int) -> Sampling:
    """Show each class as often as the balancing plan says."""

    def rows(number: int) -> Rows:
        return balancing.plan(labels, least=balance.least, most=balance.most, seed=seed, epoch=number)

    return Sampling(len(rows(0)), rows)
