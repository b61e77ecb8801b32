"""What a frozen encoder makes of photographs, computed once and kept on disk.

Owns the files: a part of the photographs in each, whole or not there, checked when it is read. It
does not know which encoder it is; another encoder, preprocessing or photograph makes another file.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fishgate.model_card import sha256_of
from fishgate.preprocessing import Pixels, Preprocessing
from training.photos import Photo, read_pixels

Features = NDArray[np.float32]
"""What an encoder makes of pictures, shape (pictures, D)."""

PHOTOS_A_FILE = 256
"""So many are lost at most where a run is stopped."""

PICTURES_AT_ONCE = 32
_CHECKED_CHARACTERS = 16  # of the file's own hash, in its name


class PictureEncoder(Protocol):
    """A network that is not trained here, and what its features hang on besides the pictures."""

    @property
    def key(self) -> str:
        """A mark of its weights: another encoder has another one."""

    @property
    def preprocessing(self) -> Preprocessing:
        """What it expects."""

    def encode(self, batch: Sequence[Pixels]) -> Features:
        """Return the features of scaled pictures, in the order given."""


class FeatureCache:
    """A folder of features."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def features(self, photos: Sequence[Photo], place: Path, encoder: PictureEncoder) -> Features:
        """Return the features of photographs below ``place``, shape (photos, D), in the order given.

        What is not kept yet is computed and kept. Raises ValueError if there are no photographs.
        """
        if not photos:
            raise ValueError("there are no photographs to encode; are the sources of the recipe in the manifest?")
        starts = tqdm(range(0, len(photos), PHOTOS_A_FILE), desc="features", unit="part", mininterval=5)
        return np.concatenate([self._part(photos[i : i + PHOTOS_A_FILE], place, encoder) for i in starts])

    def _part(self, photos: Sequence[Photo], place: Path, encoder: PictureEncoder) -> Features:
        key = _key(photos, place, encoder)
        kept = self._read(key, count=len(photos))
        if kept is None:
            kept = _encoded(photos, place, encoder)
            self._keep(key, kept)
        return kept

    def _read(self, key: str, *, count: int) -> Features | None:
        """Return what is kept under a key, or None; a damaged file is named and taken away."""
        for path in self._folder.glob(f"{key}-*.npy"):
            features = _checked(path, count=count)
            if features is not None:
                return features
            print(f"features: {path.name} is damaged; its photographs are encoded again", flush=True)
            path.unlink()
        return None

    def _keep(self, key: str, features: Features) -> None:
        data = io.BytesIO()
        np.save(data, features, allow_pickle=False)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{key}-{_mark(data.getvalue())}.npy"
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(data.getvalue())
        unfinished.replace(path)


def _key(photos: Sequence[Photo], place: Path, encoder: PictureEncoder) -> str:
    """Return a mark of all that the features hang on; names of files are not among it."""
    preprocessing = encoder.preprocessing.model_dump(mode="json")
    pictures = [sha256_of(place / photo.path) for photo in photos]
    return hashlib.sha256(json.dumps([encoder.key, preprocessing, pictures]).encode()).hexdigest()


def _checked(path: Path, *, count: int) -> Features | None:
    """Read a file; None if its content is not what was written."""
    data = path.read_bytes()
    if _mark(data) != path.stem.rpartition("-")[2]:
        return None
    features = np.load(io.BytesIO(data), allow_pickle=False)
    return features if features.dtype == np.float32 and features.ndim == 2 and len(features) == count else None


def _encoded(photos: Sequence[Photo], place: Path, encoder: PictureEncoder) -> Features:
    parts = []
    for start in range(0, len(photos), PICTURES_AT_ONCE):
        batch = [read_pixels(photo, place, encoder.preprocessing) for photo in photos[start : start + PICTURES_AT_ONCE]]
        parts.append(encoder.encode(batch))
    return np.concatenate(parts).astype(np.float32)


def _mark(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_CHECKED_CHARACTERS]
