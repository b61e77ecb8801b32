"""A species list: the candidates that an operator or a model pack offers under a name.

Owns the form of its CSV file, what is refused in one, and the taxa in it. It does not know models;
the embeddings of a list are the business of ``fishgate.list_embeddings``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, overload

from fishgate.errors import ListError
from fishgate.lineages import Lineages
from fishgate.options import LIST_NAME_PATTERN
from fishgate.taxonomy import Rank, Taxon

MAX_SPECIES = 100_000
MAX_CHARACTERS = 200
_RANKS = tuple(rank.value for rank in Rank)


class Row(NamedTuple):
    """One line of a list, as it was written; an empty text stands for what is not known."""

    label: str = ""
    scientific_name: str = ""
    rank: str = ""
    kingdom: str = ""
    phylum: str = ""
    class_: str = ""
    order: str = ""
    family: str = ""


COLUMNS = tuple(name.rstrip("_") for name in Row._fields)
"""The columns of the CSV file; one of the first two must be there, all others may be missing."""


class SpeciesList(Sequence[Taxon]):
    """The taxa of a list, in its order; each is built only when it is asked for.

    ``sha256`` is that of the file. Rows with the same common name are told apart by their
    scientific names, which are appended.
    """

    def __init__(self, name: str, rows: Sequence[Row], sha256: str) -> None:
        self.name = name
        self.sha256 = sha256
        self._rows = tuple(rows)
        self._labels = _labels(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Taxon: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Taxon]: ...

    def __getitem__(self, index: int | slice) -> Taxon | Sequence[Taxon]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return _taxon(self._rows[index], self._labels[index])

    @property
    def prompt_taxa(self) -> Iterator[Taxon]:
        """The taxa as prompts name them: without what tells equal common names apart."""
        return (_taxon(row, row.label or row.scientific_name) for row in self._rows)

    @cached_property
    def members(self) -> frozenset[str]:
        """What makes a taxon a member, case folded: its scientific name, or its label where it has none."""
        return frozenset((row.scientific_name or row.label).casefold() for row in self._rows)

    @cached_property
    def lineages(self) -> Lineages:
        """The taxa grouped for what is summed over them; worked out once."""
        return Lineages.of(tuple(self))


def read_list(path: Path) -> SpeciesList:
    """Read a list from its CSV file; raise ListError for a wrong name, column, row or encoding."""
    if not re.fullmatch(LIST_NAME_PATTERN, path.stem):
        raise ListError(f"a species list is called as its file, of a-z, 0-9, '_' and '-'; got {path.name[:80]!r}")
    content = path.read_bytes()
    try:
        rows = list(_rows(content.decode("utf-8-sig"), path.name))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ListError(f"{path.name} is no CSV file in UTF-8: {error}") from None
    if not 1 <= len(rows) <= MAX_SPECIES:
        raise ListError(f"{path.name} names {len(rows)} species; 1 to {MAX_SPECIES} are allowed")
    species = SpeciesList(path.stem, rows, hashlib.sha256(content).hexdigest())
    _check_labels(species, path.name)
    return species


def write_list(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as the CSV file that ``read_list`` reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def _rows(text: str, file: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [cell.strip().lower() for cell in next(reader, [])]
    _check_header(header, file)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield _row(header, cells, f"{file}, line {reader.line_num}")


def _check_header(header: Sequence[str], file: str) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if unknown:
        raise ListError(f"{file} has an unknown column {unknown[0][:50]!r}; allowed: {', '.join(COLUMNS)}")
    if len(set(header)) != len(header):
        raise ListError(f"{file} has a column twice; its columns are {', '.join(header)}")
    if not {"label", "scientific_name"} & set(header):
        raise ListError(f"{file} names no species: it needs a column 'label' or 'scientific_name'")


def _row(header: Sequence[str], cells: Sequence[str], place: str) -> Row:
    if len(cells) != len(header):
        raise ListError(f"{place} has {len(cells)} cells for {len(header)} columns")
    # Interned, for thousands of rows share their family, order and class.
    texts = {_field(name): sys.intern(cell.strip()) for name, cell in zip(header, cells, strict=True)}
    row = Row(**texts)
    wrong = next((text for text in row if len(text) > MAX_CHARACTERS or not text.isprintable()), None)
    if wrong is not None:
        raise ListError(f"{place}: at most {MAX_CHARACTERS} printable characters a cell, got {wrong[:50]!r}")
    if not row.label and not row.scientific_name:
        raise ListError(f"{place} has neither label nor scientific_name")
    if row.rank and row.rank not in _RANKS:
        raise ListError(f"{place}: rank must be one of {', '.join(_RANKS)} or empty, got {row.rank[:50]!r}")
    return row


def _field(column: str) -> str:
    return "class_" if column == "class" else column


def _labels(rows: Sequence[Row]) -> tuple[str, ...]:
    plain = [row.label or row.scientific_name for row in rows]
    times = Counter(label.casefold() for label in plain)
    return tuple(
        f"{label} ({row.scientific_name})" if times[label.casefold()] > 1 and row.scientific_name else label
        for label, row in zip(plain, rows, strict=True)
    )


def _check_labels(species: SpeciesList, file: str) -> None:
    times = Counter(label.casefold() for label in species._labels)
    folded, count = times.most_common(1)[0]
    if count > 1:
        label = next(label for label in species._labels if label.casefold() == folded)
        raise ListError(f"{file} has {label!r} {count} times; give each its own label or scientific_name")


def _taxon(row: Row, label: str) -> Taxon:
    return Taxon(
        label=label,
        scientific_name=row.scientific_name or None,
        rank=_rank(row),
        kingdom=row.kingdom or None,
        phylum=row.phylum or None,
        class_=row.class_ or None,
        order=row.order or None,
        family=row.family or None,
    )


def _rank(row: Row) -> Rank | None:
    """Return the rank that is written, or a species' for a name of two words, as nomenclature has it."""
    if row.rank:
        return Rank(row.rank)
    return Rank.SPECIES if len(row.scientific_name.split()) == 2 else None
