"""What the command shows on the screen: the table of answers, the summary, the failures."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fishgate_client.command.rows import Row
from fishgate_client.command.summary import Summary

_HEADINGS = ("picture", "label", "scientific name", "rank", "confidence", "answered by", "note")
_WIDE = 200
"""Columns of a table that goes into a file or a pipe: what is read by a program must not fold."""


def say(text: str) -> None:
    """Tell the user something beside the results."""
    print(f"fishgate: {text}", file=sys.stderr, flush=True)


def show_rows(rows: Sequence[Row], rank: str | None) -> None:
    """Print a table of results; with ``rank`` the label is the taxon at that rank."""
    table = _table(_HEADINGS)
    for row in rows:
        _add(table, _cells(row, rank))
    _console().print(table)


def show_summary(summary: Summary, *, to_stderr: bool) -> None:
    """Print how often each taxon was found, the most frequent first."""
    table = _table(("taxon", "rank", "pictures", "unsure", "label"))
    for found in summary.found():
        _add(table, (found.taxon, found.rank or "-", str(found.pictures), str(found.unsure or "-"), found.label or "-"))
    if summary.answered:
        console = _console(to_stderr=to_stderr)
        console.print()
        console.print(table)


def tell_failures(summary: Summary, *, asked: int, place: str | None) -> None:
    """List what failed, with codes; ``place`` is the file in which all of it stands."""
    if not summary.failed:
        return
    say(f"{summary.failed} of {asked} failed:")
    for row in summary.failures:
        print(f"  {row.path}  {row.error_code}: {row.error_message}", file=sys.stderr)
    hidden = summary.failed - len(summary.failures)
    if hidden:
        codes = ", ".join(f"{code} {count}" for code, count in summary.codes.most_common())
        where = f"; all of them stand in {place}" if place else ""
        print(f"  and {hidden} more (in all: {codes}){where}", file=sys.stderr)


def _cells(row: Row, rank: str | None) -> tuple[str, ...]:
    if not row.is_answered:
        return (row.path, "-", "-", "-", "-", "-", f"{row.error_code}: {row.error_message}")
    is_rolled = rank is not None and row.taxon_rank != row.rank
    names = (row.taxon, row.taxon, row.taxon_rank) if is_rolled else (row.label, row.scientific_name, row.rank)
    note = f"unsure: {row.note}" if row.unsure else row.note
    return (row.path, *(name or "-" for name in names), f"{row.confidence or 0:.1%}", row.source or "-", note or "")


def _table(headings: Sequence[str]) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for heading in headings:
        is_number = heading in ("confidence", "pictures", "unsure")
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    return table


def _add(table: Table, cells: Sequence[str]) -> None:
    # As Text: a file name may hold brackets, which rich would take for markup.
    table.add_row(*(Text(cell) for cell in cells))


def _console(*, to_stderr: bool = False) -> Console:
    console = Console(stderr=to_stderr)
    return console if console.is_terminal else Console(stderr=to_stderr, width=_WIDE)
