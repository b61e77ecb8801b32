"""The training pictures as the loop takes them: all in memory where they fit, else read again and again.

Owns where scaled pixels are kept. What is done to a picture in training is said by ``training.augment``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from fishgate.preprocessing import Preprocessing
from training.photos import Photo, read_all_pixels, read_pixels

if TYPE_CHECKING:
    from training.background import Cutouts

MOST_BYTES = 4_000_000_000
"""Decoded pictures beyond this are not kept in memory."""


class Pictures(Protocol):
    """Scaled pictures in a fixed order."""

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the pictures of these rows: shape (rows, height, width, 3), RGB."""


@dataclass(frozen=True)
class Examples:
    """Pictures and the label of each, shape (examples,)."""

    pictures: Pictures
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class InMemory:
    """Pictures that are all decoded: shape (pictures, height, width, 3)."""

    pixels: NDArray[np.uint8]

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the pictures of these rows."""
        return np.asarray(self.pixels[rows])


@dataclass(frozen=True)
class OnDisk:
    """Pictures that are decoded whenever they are taken."""

    photos: Sequence[Photo]
    folder: Path
    preprocessing: Preprocessing

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the pictures of these rows."""
        with ThreadPoolExecutor() as pool:
            return np.stack(list(pool.map(self._read, rows.tolist())))

    def _read(self, row: int) -> NDArray[np.uint8]:
        return read_pixels(self.photos[row], self.folder, self.preprocessing)


@dataclass(frozen=True)
class CutOut:
    """Pictures of which some lose their background, before a new colour each time."""

    pictures: Pictures
    cutouts: Cutouts

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the pictures of these rows; chance hangs on torch's seed, as all of the training."""
        chance = np.random.default_rng(int(torch.randint(2**31, (1,))))
        return self.cutouts.composed(self.pictures.take(rows), rows, chance)


def pictures_of(photos: Sequence[Photo], folder: Path, preprocessing: Preprocessing) -> Pictures:
    """Decode photographs into memory if they fit there."""
    if len(photos) * preprocessing.width_px * preprocessing.height_px * 3 > MOST_BYTES:
        return OnDisk(photos, folder, preprocessing)
    return InMemory(read_all_pixels(photos, folder, preprocessing))
