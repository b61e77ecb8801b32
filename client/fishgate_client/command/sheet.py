"""The contact sheet: one HTML file that needs no other, with a small picture of each result, unsure ones first.

Written card by card: neither the pictures nor the cards are in memory together.
"""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from PIL import Image, ImageOps
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "--sheet needs Jinja2 and Pillow: pip install 'fishgate-client[sheet]'", name=error.name
    ) from error

from fishgate_client.command.names import path_from
from fishgate_client.command.record import Record
from fishgate_client.command.rows import Row
from fishgate_client.command.summary import Summary

THUMBNAIL_PX = 240
_MOST_CANDIDATES = 5
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
_UNSURE, _FAILED, _SURE = range(3)
SECTIONS = ("To be looked at", "Failed", "Sure")


@dataclass(frozen=True)
class Card:
    """What the sheet shows of one picture; ``thumbnail`` is a data address, None where there is no picture."""

    row: Row
    thumbnail: str | None
    candidates: tuple[str, ...]


def write_sheet(path: Path, record: Record, summary: Summary, provenance: Mapping[str, Any]) -> None:
    """Write the sheet of all results; it is there whole or not at all."""
    template = Environment(
        loader=PackageLoader("fishgate_client.command", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("sheet.html")
    sections = list(_sections(record))
    aside = path.with_name(path.name + ".new")
    with aside.open("wb") as file:
        told = template.stream(sections=sections, summary=summary, found=summary.found(), provenance=provenance)
        told.dump(file, encoding="utf-8", errors="backslashreplace")
    os.replace(aside, path)


@dataclass(frozen=True)
class Section:
    """The cards of one kind; ``cards`` gives them one after the other."""

    title: str
    count: int
    cards: Iterator[Card]


def _sections(record: Record) -> Iterator[Section]:
    # Of each row only what it is sorted by stays in memory: the least certain first among the unsure ones.
    kinds: dict[int, list[tuple[float, int]]] = {_UNSURE: [], _FAILED: [], _SURE: []}
    for offset, row in record.rows():
        kinds[_kind(row)].append(((row.confidence or 0.0) if row.unsure else 0.0, offset))
    for kind, keys in kinds.items():
        offsets = [offset for _, offset in sorted(keys)]
        if offsets:
            yield Section(SECTIONS[kind], len(offsets), map(_card, record.rows_at(offsets)))


def _kind(row: Row) -> int:
    if not row.is_answered:
        return _FAILED
    return _UNSURE if row.unsure else _SURE


def _card(row: Row) -> Card:
    named = (one.rpartition(" ") for one in (row.candidates or "").split("; ") if one)
    candidates = tuple(f"{name} {float(share):.1%}" for name, _, share in named)
    return Card(row, _thumbnail(path_from(row.path)), candidates[:_MOST_CANDIDATES])


def _thumbnail(path: str) -> str | None:
    """Return a small picture as a data address; None for what cannot be drawn: the server may still have read it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as image:
                image.draft("RGB", (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
                upright = ImageOps.exif_transpose(image)
                upright.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
                return _data_address(_on_white(upright))
    except Exception:  # Pillow's decoders raise nearly anything on broken files
        return None


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _data_address(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
