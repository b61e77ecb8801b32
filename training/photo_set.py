"""A whole data set as a training takes it: photographs whose groups hold all that is nearly the same.

Owns the choice between manifest and class folders, and the joining of groups with near-duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.class_folders import read_class_folders
from training.near_duplicates import USUAL, Limits, Twins, find_twins, join
from training.photos import MANIFEST_FILE, Photo, read_manifest


@dataclass(frozen=True)
class PhotoSet:
    """The readable photographs of a data set with their groups, the folder of their paths, and their twins."""

    folder: Path
    photos: list[Photo]
    twins: Twins


def read_photo_set(place: Path, limits: Limits = USUAL) -> PhotoSet:
    """Read a manifest (the CSV file or its folder) or class folders, and find the near-duplicates.

    Groups of the manifest are kept and joined where pictures of two of them are near-duplicates;
    without groups, each picture begins as its own. Unreadable pictures are left out and named in
    ``twins.unreadable``. Raises ValueError as ``read_manifest`` and ``read_class_folders``, and if
    no picture can be read.
    """
    folder, photos = list_photos(place)
    twins = find_twins([photo.path for photo in photos], folder, limits)
    if not twins.paths:
        raise ValueError(f"none of the {len(photos)} pictures of {place.name} can be read")
    return PhotoSet(folder, grouped(photos, twins), twins)


def list_photos(place: Path) -> tuple[Path, list[Photo]]:
    """Return the folder that paths start from, and the photographs as the data set lists them."""
    if place.is_dir() and not (place / MANIFEST_FILE).is_file():
        return place, read_class_folders(place)
    return (place if place.is_dir() else place.parent), read_manifest(place)


def grouped(photos: Sequence[Photo], twins: Twins) -> list[Photo]:
    """Return the readable photographs, their groups joined by the twins."""
    readable = [photo for photo in photos if photo.path not in twins.unreadable]
    groups = join({photo.path: photo.group or photo.path for photo in readable}, twins.pairs)
    return [replace(photo, group=groups[photo.path]) for photo in readable]
