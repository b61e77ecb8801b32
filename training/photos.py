"""The photographs: what a manifest says of each, and their pixels as the model will see them.

Owns reading only. Which photograph is trained on and which is kept back is said by
``training.splits``; what a source's own name means by ``training.species``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fishgate.errors import FishgateError
from fishgate.images import open_picture
from fishgate.preprocessing import Pixels, Preprocessing, to_pixels

MANIFEST_FILE = "manifest.csv"
EXPERT, OTHER_SPECIES, NON_FISH = "expert", "other_species", "non_fish"
DOMAINS = (EXPERT, OTHER_SPECIES, NON_FISH)
CLASS_COLUMNS = ("class", "expert_class", "scientific_or_source_name")
"""Where a manifest may say what a photograph shows; the first that is filled counts."""


class Published(str, Enum):
    """The split that a data set's publisher put a photograph in."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


PUBLISHED_NAMES = {
    "train": Published.TRAIN,
    "training": Published.TRAIN,
    "val": Published.VALIDATION,
    "valid": Published.VALIDATION,
    "validation": Published.VALIDATION,
    "test": Published.TEST,
    "testing": Published.TEST,
}
"""What folders and manifests call the published splits, in small letters."""


@dataclass(frozen=True)
class Photo:
    """One photograph of a data set.

    ``path`` is relative to the folder of photographs. ``subject`` is the expert class where there
    is one, otherwise the source's own name. Pictures that resemble each other share a ``group``,
    which is empty until it is known. ``published`` is None where no split was published.
    """

    path: str
    source: str
    domain: str
    subject: str
    group: str
    published: Published | None = None


def read_manifest(place: Path) -> list[Photo]:
    """Read a manifest, given as the CSV file or as the folder that holds ``manifest.csv``.

    Columns: path, and class (or expert_class and scientific_or_source_name); optional are source
    (otherwise the name of the manifest's folder), domain (otherwise expert), group and split.
    Raises ValueError that names the line of a row that cannot be used.
    """
    file = place / MANIFEST_FILE if place.is_dir() else place
    try:
        photos = _read_rows(file)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{file.name} is no CSV text in UTF-8: {error}") from error
    _check_whole(file, photos)
    return photos


def of_source(photos: Sequence[Photo], domain: str, *sources: str) -> list[Photo]:
    """Return the photographs of a domain, of these sources only if any is named."""
    return [photo for photo in photos if photo.domain == domain and (not sources or photo.source in sources)]


def read_pixels(photo: Photo, folder: Path, preprocessing: Preprocessing) -> Pixels:
    """Decode and scale one photograph exactly as the server does; raise ValueError if it is unreadable."""
    data = (folder / photo.path).read_bytes()
    try:
        return to_pixels(open_picture(data, needed_px=preprocessing.needed_px), preprocessing)
    except FishgateError as error:
        raise ValueError(f"photograph {photo.path} cannot be used: {error}") from error


def read_all_pixels(photos: Sequence[Photo], folder: Path, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Decode many photographs into memory: shape (photos, height, width, 3), RGB, 0 to 255."""
    progress = tqdm(photos, desc="decoding", unit="photo", mininterval=2)
    return np.stack([read_pixels(photo, folder, preprocessing) for photo in progress])


def _read_rows(file: Path) -> list[Photo]:
    with file.open(newline="", encoding="utf-8-sig") as text:
        reader = csv.DictReader(text)
        _check_columns(file, reader.fieldnames or ())
        return [_photo(row, file, reader.line_num) for row in reader]


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    if "path" not in columns or not set(CLASS_COLUMNS) & set(columns):
        seen = ", ".join(columns) or "none"
        raise ValueError(
            f"{file.name} must have the columns path and class (or {' and '.join(CLASS_COLUMNS[1:])}); it has: {seen}"
        )


def _photo(row: Mapping[str, str | None], file: Path, line: int) -> Photo:
    # A short row has None in its last columns.
    value = {column: (text or "").strip() for column, text in row.items() if column is not None}
    photo = Photo(
        path=value["path"],
        source=value.get("source") or file.resolve().parent.name,
        domain=value.get("domain") or EXPERT,
        subject=next((value[column] for column in CLASS_COLUMNS if value.get(column)), ""),
        group=value.get("group", ""),
        published=PUBLISHED_NAMES.get(value.get("split", "").lower()),
    )
    fault = _fault(photo, value.get("split", ""))
    if fault:
        raise ValueError(f"{file.name}, line {line}: {fault}")
    return photo


def _fault(photo: Photo, split: str) -> str:
    """Return what is wrong with a row, or nothing."""
    if not photo.path:
        return "there is no path"
    if photo.domain not in DOMAINS:
        return f"unknown domain {photo.domain!r}; allowed: {', '.join(DOMAINS)}"
    if not photo.subject and photo.domain == EXPERT:
        return f"{photo.path} has no class"
    if split and photo.published is None:
        return f"unknown split {split!r}; allowed: {', '.join(PUBLISHED_NAMES)}"
    return ""


def _check_whole(file: Path, photos: Sequence[Photo]) -> None:
    paths: set[str] = set()
    for photo in photos:
        if photo.path in paths:
            raise ValueError(f"{file.name} lists {photo.path} twice")
        paths.add(photo.path)
    without = [photo.path for photo in photos if not photo.group]
    if without and len(without) < len(photos):
        raise ValueError(f"{file.name} gives {without[0]} no group, but others one; give all a group, or none")
