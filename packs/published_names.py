"""The published names of the tree of life, and the fish among them.

Owns the form of the file: a JSON list, of which an item is seven ranks, kingdom to epithet, and a
common name. Which of them are fish ``packs.fish_taxa`` knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fishgate.species_list import MAX_CHARACTERS, Row
from packs.errors import ForeignTexts
from packs.fish_taxa import is_fish

_FORM = "a list of [[kingdom, phylum, class, order, family, genus, epithet], common name] is wanted"
_BETWEEN = " \t\r\n,"


@dataclass(frozen=True)
class Fish:
    """The species of fish among published names: their rows, and their places among all ``published``."""

    rows: tuple[Row, ...]
    places: tuple[int, ...]
    published: int


def read_fish(path: Path) -> Fish:
    """Read the fish out of the published names, each species once; raise ForeignTexts for another form.

    Of several entries of a species the one that says most is kept; names of whole genera are left out.
    """
    kept: dict[str, tuple[Row, int]] = {}
    published = 0
    for place, item in enumerate(_items(path)):
        published += 1
        row = _row(item, place)
        if row is None or not is_fish(row):
            continue
        known = kept.get(row.scientific_name.casefold())
        if known is None or _says(row) > _says(known[0]):
            kept[row.scientific_name.casefold()] = (row, place)
    in_order = sorted(kept.values(), key=lambda one: one[1])
    return Fish(tuple(row for row, _ in in_order), tuple(place for _, place in in_order), published)


def _items(path: Path) -> Iterator[Any]:
    """Give one item after the other: all at once would take ten times the memory of the text."""
    text, decoder = path.read_text(encoding="utf-8"), json.JSONDecoder()
    position = _past(text, 0, " \t\r\n")
    if text[position : position + 1] != "[":
        raise ForeignTexts(f"{path.name} begins with {text[:20]!r}; {_FORM}")
    position = _past(text, position + 1, _BETWEEN)
    while text[position : position + 1] != "]":
        try:
            item, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise ForeignTexts(f"{path.name} is no JSON or is cut off: {error}; {_FORM}") from None
        yield item
        position = _past(text, position, _BETWEEN)


def _past(text: str, position: int, passed: str) -> int:
    while text[position : position + 1] and text[position] in passed:
        position += 1
    return position


def _row(item: Any, place: int) -> Row | None:
    """Return the row of an item, or None if it names no species."""
    if not (isinstance(item, list) and len(item) == 2 and isinstance(item[0], list) and len(item[0]) == 7):
        raise ForeignTexts(f"name {place} is {str(item)[:80]!r}; {_FORM}")
    *higher, genus, epithet = (_clean(text) for text in item[0])
    if not genus or not epithet:
        return None
    # The rank is left open: the list's reader takes a name of two words for a species'.
    return Row(_clean(item[1]), f"{genus} {epithet}", "", *higher)


def _clean(text: object) -> str:
    written = " ".join(text.split()) if isinstance(text, str) else ""
    return written if written.isprintable() and len(written) <= MAX_CHARACTERS // 2 else ""


def _says(row: Sequence[str]) -> tuple[bool, int]:
    """How much an entry says: first whether it has a common name, then how many ranks."""
    return bool(row[0]), sum(map(bool, row))
