"""Rows as lines of a file, one line each: CSV, or JSON with the whole reply.

A line is written whole or not at all; whatever follows the last line feed was cut off by a kill and is no row.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import fields
from typing import Any, Protocol

from fishgate_client.command.rows import COLUMNS, Row, row_from

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Lines(Protocol):
    """One form of lines. A file has ``header`` for its first line, or none if that is empty; it always begins with
    ``opening``, unless it is empty. ``decode`` raises ValueError or KeyError for what is no row."""

    header: bytes
    opening: bytes

    def encode(self, row: Row, value: dict[str, Any]) -> bytes:
        """Return the line of a row; ``value`` is the same as JSON."""
        ...

    def decode(self, line: bytes) -> Row:
        """Read a line back."""
        ...


class JsonLines:
    """A JSON object a line: path, size, time, taxon, and the whole answer or error."""

    header = b""
    opening = b'{"path": "'

    def encode(self, row: Row, value: dict[str, Any]) -> bytes:
        """Return the line of a row."""
        return json_line(value)

    def decode(self, line: bytes) -> Row:
        """Read a line back."""
        try:
            return row_from(json.loads(line))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"no row of results ({error!r})") from error


class CsvLines:
    """Comma-separated values in UTF-8; nothing between two commas means that there is nothing to say."""

    header = (",".join(COLUMNS) + "\n").encode()
    opening = header

    def encode(self, row: Row, value: dict[str, Any]) -> bytes:
        """Return the line of a row."""
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerow([_cell(one) for one in row.values()])
        return buffer.getvalue().encode("utf-8", "backslashreplace")

    def decode(self, line: bytes) -> Row:
        """Read a line back."""
        cells = next(csv.reader([line.decode("utf-8")]), [])
        if len(cells) != len(COLUMNS):
            raise ValueError(f"no row of results: {len(cells)} columns, not {len(COLUMNS)}")
        kinds = (kind for kind, _ in COLUMNS.values())
        values = [_value(cell, kind) for cell, kind in zip(cells, kinds, strict=True)]
        return Row(**dict(zip((one.name for one in fields(Row)), values, strict=True)))


def json_line(value: dict[str, Any]) -> bytes:
    """Return a JSON object as one line."""
    # A half of a surrogate pair cannot be encoded, but may be written as \\udxxx, which JSON understands.
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _cell(value: Any) -> Any:
    if value is True or value is False:
        return "true" if value else "false"
    # A line feed in a message would make two lines of the row.
    return value if value is None or not isinstance(value, str) or value.isprintable() else _CONTROL.sub(" ", value)


def _value(cell: str, kind: type) -> Any:
    if not cell:
        return None
    if kind is bool:
        return {"true": True, "false": False}[cell]
    return kind(cell)
