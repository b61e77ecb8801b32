"""How often each taxon was found, and what failed: kept as counts, however many pictures there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fishgate_client.command.rows import Row

MOST_FAILURES_SHOWN = 50


@dataclass(frozen=True)
class Found:
    """One taxon: how many pictures show it, and how many of these somebody should look at."""

    taxon: str
    rank: str
    label: str
    pictures: int
    unsure: int


@dataclass
class Summary:
    """Counts rows as they are added."""

    answered: int = 0
    failed: int = 0
    unsure: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    failures: list[Row] = field(default_factory=list)
    """The first ``MOST_FAILURES_SHOWN`` that failed."""

    _pictures: Counter[tuple[str, str]] = field(default_factory=Counter)
    _unsure: Counter[tuple[str, str]] = field(default_factory=Counter)
    _labels: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count a row."""
        if not row.is_answered:
            self._add_failure(row)
            return
        self.answered += 1
        self.unsure += bool(row.unsure)
        taxon = (row.taxon or "not told", row.taxon_rank or "")
        self._pictures[taxon] += 1
        self._unsure[taxon] += bool(row.unsure)
        is_own = row.taxon_rank == row.rank and row.label != row.taxon
        self._labels.setdefault(taxon, (row.label or "") if is_own else "")

    def found(self) -> list[Found]:
        """Return the taxa, the most frequent first."""
        in_order = sorted(self._pictures.items(), key=lambda item: (-item[1], item[0]))
        return [Found(*taxon, self._labels[taxon], count, self._unsure[taxon]) for taxon, count in in_order]

    def _add_failure(self, row: Row) -> None:
        self.failed += 1
        self.codes[str(row.error_code)] += 1
        if len(self.failures) < MOST_FAILURES_SHOWN:
            self.failures.append(row)
