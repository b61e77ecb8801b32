"""Outlier exposure: pictures of no class, on which the network learns to commit itself to none.

Hendrycks, Mazeika and Dietterich, "Deep Anomaly Detection with Outlier Exposure", 2019. Owns which of
those photographs are shown in training, and what is learnt from them. The others of their kind stay
unseen, so that the gate can be judged on them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from training.photos import OTHER_SPECIES, Photo, of_source
from training.pictures import Pictures
from training.recipe import OutlierExposure
from training.splits import Fractions, Split, split_by_group


@dataclass(frozen=True)
class Outliers:
    """Pictures of no class: how many there are, how many join each step, and what their loss weighs."""

    pictures: Pictures
    count: int
    batch: int
    weight: float

    def draw(self) -> np.ndarray:
        """Return pictures for one step: shape (batch, height, width, 3); chance hangs on torch's seed."""
        return self.pictures.take(torch.randint(self.count, (self.batch,)).numpy())

    def loss(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the weighted cross-entropy of logits (B, classes) to equal shares for all classes."""
        return -self.weight * scores.float().log_softmax(dim=1).mean()


def exposed_photos(
    photos: Sequence[Photo], exposure: OutlierExposure, *, fractions: Fractions, seed: int, fits_a_class: Sequence[str]
) -> list[Photo]:
    """Return the photographs of no class that are shown in training, by group.

    Of other species only such are taken as zero-shot trains on too (same seed, same fractions), so
    that what it keeps back is unseen by the expert, from which it starts.
    """
    other = of_source(photos, OTHER_SPECIES)
    splits = split_by_group(other, seed=seed, fractions=fractions, training_sources=())
    kept_back = {photo.path for split in Split if split is not Split.TRAIN for photo in splits[split]}
    return [
        photo
        for photo in photos
        if photo.domain in exposure.domains
        and photo.source not in exposure.unseen_sources
        and photo.subject not in fits_a_class
        and photo.path not in kept_back
        and random.Random(f"{seed} {photo.group}").random() < exposure.share
    ]
