"""What a page is made of: sections of paragraphs, tables, plots and galleries, as plain records.

Owns these records and how a number reads; it knows neither HTML nor what is told with it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import ClassVar

from training.source_figures import Fraction

NO_BREAK = "\u00a0"  # a space at which no line ends


class LeftOut(Exception):
    """Something cannot be told of this run; the message is the sentence that says why."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Table:
    """A table of texts; the first cell of a row is its heading. A folded one opens on demand."""

    kind: ClassVar[str] = "table"
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_folded: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a row that does not fit the head."""
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"the head of {self.caption!r} has {len(self.head)} cells, a row has {len(row)}")


@dataclass(frozen=True)
class Plot:
    """A drawn plot as PNG, with its figures in words (``alt``). A wide one scrolls on a small screen."""

    kind: ClassVar[str] = "plot"
    name: str
    png: bytes
    alt: str
    caption: str
    is_wide: bool = False

    @property
    def source(self) -> str:
        """The PNG as a data URI."""
        return data_uri(self.png, "image/png")


@dataclass(frozen=True)
class Picture:
    """A small photograph as JPEG, and what is to be said of it line by line."""

    jpeg: bytes
    alt: str
    lines: tuple[str, ...]

    @property
    def source(self) -> str:
        """The JPEG as a data URI."""
        return data_uri(self.jpeg, "image/jpeg")


@dataclass(frozen=True)
class Gallery:
    """Photographs side by side."""

    kind: ClassVar[str] = "gallery"
    caption: str
    pictures: tuple[Picture, ...]


Block = Paragraph | Table | Plot | Gallery


@dataclass(frozen=True)
class Section:
    """A part of the page with its title; ``name`` is its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def data_uri(content: bytes, media_type: str) -> str:
    """Return an address that carries the content itself."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def percent(fraction: float) -> str:
    """Write a fraction of 1 as a percentage with one decimal place."""
    return f"{100 * fraction:.1f}{NO_BREAK}%"


def with_interval(fraction: Fraction) -> str:
    """Write a fraction with its interval and its counts, or a dash where there is nothing to count."""
    if not fraction.pictures:
        return "–"
    interval = f"({100 * fraction.low:.1f}–{100 * fraction.high:.1f};"
    counts = f"{fraction.hits} of {fraction.pictures})".replace(" ", NO_BREAK)
    return f"{percent(fraction.value)} {interval} {counts}"
