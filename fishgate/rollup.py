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


@dataclass(frozen=True)
class _Share:
    """What one model adds to the pooled probability of a taxon."""

    taxon: Candidate
    source: Source
    probability: float


def roll_up(opinions: Sequence[Opinion], *, floor: float, weights: Sequence[float] | None = None) -> RolledUp | None:
    """Return the most probable taxon of the lowest rank at which it reaches the floor, or None.

    The probability of a taxon is the weighted mean of what the models give it, and nothing is what
    a model gives that does not tell it: the linear opinion pool (Genest & Zidek, 1986). ``weights``
    are those of the opinions, in their order, with the sum 1; None for equal ones. Of models with
    equal shares the first is the source. Raises ValueError if opinions and weights differ in number.
    """
    weighted = list(zip(opinions, weights or [1.0 / max(len(opinions), 1)] * len(opinions), strict=True))
    for rank in Rank:
        best = _best_at(rank, weighted)
        if best is not None and best.taxon.confidence >= floor:
            return best
    return None


def _best_at(rank: Rank, weighted: Sequence[tuple[Opinion, float]]) -> RolledUp | None:
    shares: defaultdict[str, list[_Share]] = defaultdict(list)
    for opinion, weight in weighted:
        for mass in opinion.masses:
            # A label whose taxon is not known is as narrow as a species.
            if (mass.rank or Rank.SPECIES) is rank:
                shares[_name(mass)].append(_Share(mass, opinion.source, weight * mass.confidence))
    pooled = [_pooled(held) for held in shares.values()]
    return min(pooled, key=lambda found: (-found.taxon.confidence, _name(found.taxon)), default=None)


def _pooled(shares: Sequence[_Share]) -> RolledUp:
    largest = max(shares, key=lambda share: share.probability)
    # Rounded as every confidence is, or 0.1 and 0.7 would not reach a floor of 0.4.
    pooled = round(min(sum(share.probability for share in shares), 1.0), 6)
    return RolledUp(largest.taxon.model_copy(update={"confidence": pooled}), largest.source)


def _name(taxon: Candidate) -> str:
    return (taxon.scientific_name or taxon.label).casefold()
