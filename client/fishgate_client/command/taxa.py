"""What an answer names at the rank that was asked for, as far as the server tells it and no further.

A genus is the first word of a species' scientific name. A family or an order is named only where the server tells it,
in the cards of its models or in its list of species: nothing is looked up anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fishgate_client.catalogue import Taxon

RANKS = ("species", "genus", "family", "order")
"""Narrowest first."""


@dataclass(frozen=True)
class Named:
    """What is counted: a name, scientific where there is one, and its rank; ``is_told`` unless the rank asked for is
    wider and the server does not say what the taxon is there."""

    name: str | None
    rank: str | None
    is_told: bool = True


@dataclass(frozen=True)
class Ranking:
    """Names answers at ``rank``, or as they are if it is None. ``higher`` holds the names above each known name."""

    rank: str | None = None
    higher: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def taxon(self, reply: Mapping[str, Any]) -> Named:
        """Return what an answer (the JSON object) names at this rank."""
        name, rank = reply.get("scientific_name") or reply.get("label"), reply.get("rank")
        as_it_is = Named(name, rank)
        if self.rank is None or name is None or not _is_narrower(rank, self.rank):
            return as_it_is
        above = self.higher.get(name, {}).get(self.rank) or _genus_in(name, rank, self.rank)
        return Named(above, self.rank) if above else Named(name, rank, is_told=False)


def ranking_from(rank: str | None, taxa: Iterable[Taxon]) -> Ranking:
    """Return the ranking with all higher names that the server tells."""
    higher: dict[str, dict[str, str]] = {}
    for one in taxa:
        genus = one.genus or _genus_in(one.scientific_name or "", one.rank, "genus")
        names = {"genus": genus, "family": one.family, "order": one.order, (one.rank or ""): one.scientific_name}
        for width, narrow in enumerate(RANKS):
            if names.get(narrow):
                above = {wide: names[wide] for wide in RANKS[width + 1 :] if names.get(wide)}
                higher.setdefault(str(names[narrow]), {}).update({wide: str(name) for wide, name in above.items()})
    return Ranking(rank, higher)


def _is_narrower(rank: str | None, wide: str) -> bool:
    # None: a label whose taxon the server does not know; it is at no rank, so none can be told.
    return rank is None or (rank in RANKS and RANKS.index(rank) < RANKS.index(wide))


def _genus_in(name: str, rank: str | None, wide: str) -> str | None:
    genus, _, rest = name.partition(" ")
    return genus if wide == "genus" and rank == "species" and rest and genus.isalpha() else None
