"""Reads a report as a person's browser does: its parts, their texts, tables and images."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO

from PIL import Image

ADDRESS_ATTRIBUTES = {"src", "href", "srcset", "action", "poster", "data"}


@dataclass
class Part:
    """A section of the page."""

    text: str = ""
    tables: list[list[list[str]]] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)

    def row(self, first: str) -> list[str]:
        """The cells after the first of the row that begins so, of any table, with plain spaces."""
        return next(row[1:] for table in self.tables for row in table if row[0] == first)


class PageReader(HTMLParser):
    """The parts of a page by anchor, all tags, and all addresses in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: dict[str, Part] = {}
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self._part = Part()
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.addresses += [value for name, value in found.items() if name in ADDRESS_ATTRIBUTES]
        if tag == "section":
            self._part = self.parts.setdefault(found["id"], Part())
        elif tag == "img":
            self._part.images.append(found)
        elif tag == "table":
            self._part.tables.append([])
        elif tag == "tr":
            self._part.tables[-1].append([])
        elif tag in ("td", "th"):
            self._part.tables[-1][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        text = data.replace("\u00a0", " ")
        self._part.text += text
        if self._in_cell:
            self._part.tables[-1][-1][-1] += text


def decoded(image: dict[str, str]) -> Image.Image:
    """Return the picture that an image carries in its address."""
    head, _, content = image["src"].partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return Image.open(BytesIO(base64.b64decode(content, validate=True)))
