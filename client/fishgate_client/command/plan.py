"""What is left to do: the pictures that are named, held against the results that are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from fishgate_client.command.provenance import Provenance
from fishgate_client.command.record import Record, RecordError, mark
from fishgate_client.command.rows import time_text
from fishgate_client.command.sources import PictureFile, Sources


@dataclass
class Plan:
    """How many pictures are to be asked and how many are done; ``replaced`` are the marks of the paths whose row is to
    go: the picture failed, or is another one now."""

    to_ask: int = 0
    done: int = 0
    replaced: set[bytes] = field(default_factory=set)


def plan(sources: Sources, record: Record, provenance: Provenance) -> Plan:
    """Go through results and pictures once; raise RecordError if the results are no good."""
    good = set()
    for _, row in record.rows():
        provenance.check(row)
        if row.is_answered:
            good.add(mark(*row.identity))
    if record.present and not provenance.is_there:
        raise RecordError(
            f"{record.path.name} holds results, but the file with their provenance beside it is gone, so that it "
            "cannot be told whether new ones go with them; give another name to --out, or --again to begin anew"
        )
    return _held_against(sources, record, good)


def left(sources: Sources, record: Record) -> Iterator[PictureFile]:
    """Give the pictures that have no row, each once."""
    handed_out: set[bytes] = set()
    for picture in sources:
        path = mark(picture.shown)
        if path not in record.present and path not in handed_out:
            handed_out.add(path)
            yield picture


def _held_against(sources: Sources, record: Record, good: set[bytes]) -> Plan:
    found, seen = Plan(), set()
    for picture in sources:
        path = mark(picture.shown)
        if path in seen:
            continue
        seen.add(path)
        if path not in record.present:
            found.to_ask += 1
        elif _identity(picture) in good:
            found.done += 1
        else:
            found.to_ask += 1
            found.replaced.add(path)
    return found


def _identity(picture: PictureFile) -> bytes | None:
    """Return the mark of what the file is now; None if it cannot be told."""
    try:
        status = os.stat(picture.path)
    except (OSError, ValueError):
        return None
    return mark(picture.shown, status.st_size, time_text(status.st_mtime_ns))
