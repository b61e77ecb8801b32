"""The photographs: what the manifest says of each, and their pixels as the model will see them.

Owns reading only. Which photograph is trained on and which is kept back is said by
``training.splits``; what a source's own name means by ``training.species``.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fishgate.images import open_picture
from fishgate.preprocessing import Pixels, Preprocessing, to_pixels

MANIFEST_FILE = "manifest.csv"
EXPERT, OTHER_SPECIES, NON_FISH = "expert", "other_species", "non_fish"
DOMAINS = (EXPERT, OTHER_SPECIES, NON_FISH)


@dataclass(frozen=True)
class Photo:
    """One line of the manifest.

    ``path`` is relative to the folder of photographs. ``subject`` is the expert class where there
    is one, otherwise the source's own name. Pictures that resemble each other share a ``group``.
    """

    path: str
    source: str
    domain: str
    subject: str
    group: str


def read_manifest(folder: Path) -> list[Photo]:
    """Read the manifest of a folder of photographs; raise ValueError for an unknown domain."""
    with (folder / MANIFEST_FILE).open(newline="", encoding="utf-8") as file:
        photos = [_photo(row) for row in csv.DictReader(file)]
    unknown = sorted({photo.domain for photo in photos} - set(DOMAINS))
    if unknown:
        raise ValueError(f"unknown domain {unknown[0]!r} in the manifest; allowed: {', '.join(DOMAINS)}")
    return photos


def of_source(photos: Sequence[Photo], domain: str, *sources: str) -> list[Photo]:
    """Return the photographs of a domain, of these sources only if any is named."""
    return [photo for photo in photos if photo.domain == domain and (not sources or photo.source in sources)]


def read_pixels(photo: Photo, folder: Path, preprocessing: Preprocessing) -> Pixels:
    """Decode and scale one photograph exactly as the server does."""
    data = (folder / photo.path).read_bytes()
    return to_pixels(open_picture(data, needed_px=preprocessing.needed_px), preprocessing)


def read_all_pixels(photos: Sequence[Photo], folder: Path, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Decode many photographs into memory: shape (photos, height, width, 3), RGB, 0 to 255."""
    progress = tqdm(photos, desc="decoding", unit="photo", mininterval=2)
    return np.stack([read_pixels(photo, folder, preprocessing) for photo in progress])


def _photo(row: dict[str, str]) -> Photo:
    return Photo(
        path=row["path"],
        source=row["source"],
        domain=row["domain"],
        subject=row["expert_class"] or row["scientific_or_source_name"],
        group=row["group"],
    )
