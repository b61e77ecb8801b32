"""The roll-up: the narrowest taxon of which the models together are sure enough.

Owns how the opinions of several models are pooled and which rank is named. It sees opinions only,
no pictures and no networks; whether to roll up at all ``fishgate.cascade`` decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fishgate.answer import Candidate, Opinion, Source
from fishgate.taxonomy import Rank


@dataclass(frozen=True)
class RolledUp:
    """A taxon with its pooled probability as ``confidence``, and the model with the larger share in it."""

    taxon: Candidate
    source: Source


def roll_up(opinions: Sequence[Opinion], *, floor: float) -> RolledUp | None:
    """Return the most probable taxon of the lowest rank at which it reaches the floor, or None.

    The probability of a taxon is the mean of what the models give it, and nothing is what a model
    gives that does not tell it: the linear opinion pool with equal weights (Genest & Zidek, 1986).
    Of models with equal shares the first is the source.
    """
    for rank in Rank:
        best = _best_at(rank, opinions)
        if best is not None and best.taxon.confidence >= floor:
            return best
    return None


def _best_at(rank: Rank, opinions: Sequence[Opinion]) -> RolledUp | None:
    shares: defaultdict[str, list[RolledUp]] = defaultdict(list)
    for opinion in opinions:
        for mass in opinion.masses:
            # A label whose taxon is not known is as narrow as a species.
            if (mass.rank or Rank.SPECIES) is rank:
                shares[_name(mass)].append(RolledUp(mass, opinion.source))
    pooled = [_pooled(held, len(opinions)) for held in shares.values()]
    return min(pooled, key=lambda found: (-found.taxon.confidence, _name(found.taxon)), default=None)


def _pooled(shares: Sequence[RolledUp], models: int) -> RolledUp:
    largest = max(shares, key=lambda share: share.taxon.confidence)
    # Rounded as every confidence is, or 0.1 and 0.7 would not reach a floor of 0.4.
    mean = round(sum(share.taxon.confidence for share in shares) / models, 6)
    return RolledUp(largest.taxon.model_copy(update={"confidence": mean}), largest.source)


def _name(taxon: Candidate) -> str:
    return (taxon.scientific_name or taxon.label).casefold()
