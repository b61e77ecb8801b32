"""An audit as tables in a terminal.

Owns the look only; what is counted is said by ``training.auditing``.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.auditing import Audit
from training.near_duplicates import Kind, Pair

EXAMPLES = 5

MEANINGS = {
    Kind.IDENTICAL: "byte-identical",
    Kind.RESEMBLING: "same by perceptual hash",
    Kind.TURNED: "same but turned",
}


def show(found: Audit, console: Console) -> None:
    """Print the counts, some examples of each fault and the verdict."""
    console.print(_overview(found))
    if found.splits:
        console.print(_splits(found))
    _show_examples("Twins across published splits", found.leaks, console)
    _show_examples("Twins under two classes", found.conflicts, console)
    _show_unreadable(found, console)
    console.print(found.verdict, style="green" if found.is_clean else "bold red", markup=False, highlight=False)


def _overview(found: Audit) -> Table:
    table = Table(title=escape(found.name), show_header=False, title_justify="left")
    rows = [
        ("pictures", found.pictures),
        ("classes", found.classes),
        ("groups of near-duplicates", found.groups),
        ("unreadable", len(found.unreadable)),
        *((f"pairs {MEANINGS[kind]}", count) for kind, count in found.pairs.items()),
        *((f"… of these across splits: {MEANINGS[kind]}", count) for kind, count in found.crossing.items()),
        ("pairs under two classes", len(found.conflicts)),
    ]
    for name, count in rows:
        table.add_row(name, f"{count:,}")
    table.columns[1].justify = "right"
    return table


def _splits(found: Audit) -> Table:
    table = Table(title="Published splits", title_justify="left")
    for heading in ("split", "pictures", "with a byte-identical copy in another", "with any twin in another", "share"):
        table.add_column(heading, justify="left" if heading == "split" else "right")
    for split, figures in found.splits.items():
        numbers = (figures.pictures, figures.with_copy, figures.with_twin)
        share = figures.with_twin / figures.pictures
        table.add_row(split.value, *(f"{number:,}" for number in numbers), f"{share:.1%}")
    return table


def _show_examples(title: str, pairs: Sequence[Pair], console: Console) -> None:
    if not pairs:
        return
    table = Table(title=f"{title}: {min(EXAMPLES, len(pairs))} of {len(pairs):,}", title_justify="left")
    for heading in ("one", "other", "how"):
        table.add_column(heading, overflow="fold")
    for pair in pairs[:EXAMPLES]:
        table.add_row(escape(pair.first), escape(pair.second), MEANINGS[pair.kind])
    console.print(table)


def _show_unreadable(found: Audit, console: Console) -> None:
    for path, reason in list(found.unreadable.items())[:EXAMPLES]:
        console.print(f"unreadable: {path}: {reason}", markup=False, highlight=False)
    if len(found.unreadable) > EXAMPLES:
        console.print(f"… and {len(found.unreadable) - EXAMPLES} more unreadable pictures; --json names all")
