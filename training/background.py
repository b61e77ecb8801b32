"""Training pictures without their background, so that the network cannot learn the place for the fish.

Owns which pictures are cut out, the masks and their files, and what is laid behind the fish. How a
mask is found is ``training.segmentation``'s.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops
from tqdm import tqdm

from fishgate.images import open_picture
from fishgate.preprocessing import Preprocessing, to_pixels
from training.photos import Photo
from training.segmentation import Segmenter, open_session

LEAST_FISH, MOST_FISH = 0.02, 0.98
"""Shares of the picture. A mask outside them found nothing or took everything: the picture stays as it is."""


@dataclass(frozen=True)
class Background:
    """Which fraction of the pictures loses its background, and by which session.

    ``session`` is what ``open_session`` takes, or an object with the interface of rembg's sessions.
    """

    fraction: float
    session: str | Segmenter = "u2net"

    def __post_init__(self) -> None:
        """Refuse a fraction that is none."""
        if not 0 <= self.fraction <= 1:
            raise ValueError(f"cannot remove the background of {self.fraction} of the pictures; allowed: 0 to 1")

    @property
    def session_name(self) -> str:
        """The session as it was named, or the type of the object that was given."""
        return self.session if isinstance(self.session, str) else type(self.session).__qualname__


@dataclass(frozen=True)
class Cutouts:
    """The masks of the pictures that lose their background, by row: shape (height, width), 255 for the fish.

    ``useless`` counts the pictures whose mask found nothing or took everything; they stay as they are.
    """

    masks: Mapping[int, NDArray[np.uint8]]
    useless: int = 0

    def composed(
        self, pictures: NDArray[np.uint8], rows: NDArray[np.int64], chance: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Return pictures (B, H, W, 3), of which ``rows`` (B,) says the rows, those with a mask on a plain colour.

        The colour is drawn anew each time, since any fixed one would itself become a mark to learn.
        """
        composed = pictures.copy()
        for i, row in enumerate(rows.tolist()):
            if row in self.masks:
                fish = self.masks[row][:, :, None].astype(np.float32) / 255.0  # (H, W, 1)
                colour = chance.integers(0, 256, size=3)
                composed[i] = (pictures[i] * fish + colour * (1 - fish)).round().astype(np.uint8)
        return composed


def cut_out(
    photos: Sequence[Photo],
    folder: Path,
    preprocessing: Preprocessing,
    *,
    background: Background,
    seed: int,
    cache: Path,
) -> Cutouts:
    """Return the masks of a random fraction of the photographs, scaled as the model's pictures are.

    Rows are places in ``photos``; the same seed chooses the same. Each mask is computed once and
    kept in the folder ``cache``, so that a resumed run has the masks that it began with. Raises as
    ``open_session``, and that only if a mask is missing.
    """
    cache.mkdir(parents=True, exist_ok=True)
    chosen = sorted(random.Random(seed).sample(range(len(photos)), round(background.fraction * len(photos))))
    segmenter = _opened_when_needed(background.session)
    masks: dict[int, NDArray[np.uint8]] = {}
    for row in tqdm(chosen, desc="removing backgrounds", unit="photo", mininterval=2):
        file = cache / _file_name(photos[row], preprocessing, background)
        if not file.is_file():
            _save(_mask(folder / photos[row].path, segmenter(), preprocessing), file)
        masks[row] = _read(file)
    useful = {row: mask for row, mask in masks.items() if LEAST_FISH <= mask.mean() / 255 <= MOST_FISH}
    return Cutouts(useful, useless=len(masks) - len(useful))


def _opened_when_needed(session: str | Segmenter) -> Callable[[], Segmenter]:
    return lru_cache(lambda: open_session(session) if isinstance(session, str) else session)


def _file_name(photo: Photo, preprocessing: Preprocessing, background: Background) -> str:
    """Name a mask by all that it hangs on."""
    facts = "\n".join([photo.path, background.session_name, preprocessing.model_dump_json()])
    return f"{hashlib.sha256(facts.encode()).hexdigest()[:24]}.png"


def _mask(photo: Path, segmenter: Segmenter, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Find the fish in a photograph: shape (height, width), scaled as the photograph itself will be."""
    picture = open_picture(photo.read_bytes(), needed_px=preprocessing.needed_px)
    with np.errstate(all="ignore"):  # a mask without contrast makes rembg divide by zero
        found = segmenter.predict(picture)
    whole = Image.new("L", picture.size)
    for mask in found:  # some sessions give one mask for each thing they find
        whole = ImageChops.lighter(whole, mask.convert("L"))
    as_picture = preprocessing.model_copy(update={"denoising": None})
    return np.ascontiguousarray(to_pixels(whole.convert("RGB"), as_picture)[:, :, 0])


def _save(mask: NDArray[np.uint8], file: Path) -> None:
    """Write a mask whole or not at all: a run may be stopped at any time."""
    unfinished = file.with_suffix(".part")
    Image.fromarray(mask).save(unfinished, "PNG")
    unfinished.replace(file)


def _read(file: Path) -> NDArray[np.uint8]:
    with Image.open(file) as image:
        return np.asarray(image, dtype=np.uint8)
