"""Which labels make up a species, a genus, a family and an order, and how probable each of these is.

Owns the grouping of a list of labels by taxon, worked out once a list, and the sums over the groups.
It knows no models and no answers, and decides nothing; ``fishgate.rollup`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fishgate.taxonomy import Rank, Taxon


@dataclass(frozen=True)
class Mass:
    """The share of the probability that lies on one taxon.

    ``label`` is the most probable label of a species, and the name of a higher taxon. A label whose
    taxon is not known stands for itself, with neither ``scientific_name`` nor ``rank``.
    """

    label: str
    scientific_name: str | None
    rank: Rank | None
    probability: float


@dataclass(frozen=True)
class _Level:
    """The taxa of one rank. ``codes``, shape (labels,), tells the taxon of each label, and the number of
    taxa for a label that has none; ``members`` are the labels of each taxon in the order of their text."""

    rank: Rank
    codes: NDArray[np.intp]
    members: tuple[NDArray[np.intp], ...]

    def sums(self, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of each taxon, shape (taxa,)."""
        count = len(self.members)
        sums = np.bincount(self.codes, weights=probabilities, minlength=count + 1)
        return sums[:count].astype(np.float64, copy=False)


@dataclass(frozen=True)
class Lineages:
    """A list of labels, grouped by taxon at every rank; make one with ``Lineages.of``."""

    taxa: tuple[Taxon, ...]
    levels: tuple[_Level, ...]

    @classmethod
    def of(cls, taxa: Sequence[Taxon]) -> Lineages:
        """Group the labels; those of one scientific name lie together, whatever the case."""
        by_label = sorted(range(len(taxa)), key=lambda index: taxa[index].label)
        return cls(taxa=tuple(taxa), levels=tuple(_level(taxa, by_label, rank) for rank in Rank))

    def masses(self, probabilities: NDArray[np.float32], *, least: float) -> tuple[Mass, ...]:
        """Return the taxa with at least this share: by rank, narrowest first, most probable first.

        ``probabilities`` are one picture's, shape (labels,), in the order of the labels. Equally
        probable taxa come in the order of their names, so that the order of the labels has no say.
        """
        if len(probabilities) != len(self.taxa):
            raise ValueError(f"{len(probabilities)} probabilities do not fit the lineages of {len(self.taxa)} labels")
        return tuple(mass for level in self.levels for mass in self._masses_at(level, probabilities, least))

    def _masses_at(self, level: _Level, probabilities: NDArray[np.float32], least: float) -> list[Mass]:
        sums = level.sums(probabilities)
        found = [
            self._mass(level.rank, self.taxa[_foremost(level.members[code], probabilities)], float(sums[code]))
            for code in np.flatnonzero(sums >= least)
        ]
        return sorted(found, key=lambda mass: (-mass.probability, mass.scientific_name or mass.label))

    def _mass(self, rank: Rank, foremost: Taxon, probability: float) -> Mass:
        if rank is Rank.SPECIES:
            return Mass(foremost.label, foremost.scientific_name, foremost.rank, probability)
        name = foremost.name_at(rank)
        return Mass(str(name), name, rank, probability)


def _foremost(members: NDArray[np.intp], probabilities: NDArray[np.float32]) -> int:
    return int(members[np.argmax(probabilities[members])])


def _level(taxa: Sequence[Taxon], by_label: Sequence[int], rank: Rank) -> _Level:
    members: dict[str, list[int]] = {}
    for index in by_label:
        if name := _counts_for(taxa[index], rank):
            members.setdefault(name.casefold(), []).append(index)
    codes = np.full(len(taxa), len(members), dtype=np.intp)
    for code, indices in enumerate(members.values()):
        codes[indices] = code
    return _Level(rank, codes, tuple(np.array(indices, dtype=np.intp) for indices in members.values()))


def _counts_for(taxon: Taxon, rank: Rank) -> str | None:
    """Return the name of the taxon to which a label adds at this rank, or None."""
    if rank is Rank.SPECIES and taxon.rank is None:
        return taxon.scientific_name or taxon.label
    return taxon.name_at(rank)
