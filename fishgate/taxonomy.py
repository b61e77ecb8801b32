"""What a label means in biology: the taxon behind a common name.

Owns the record of a taxon. It does not know models, pictures or answers.
"""

from __future__ import annotations

from enum import Enum

from pydantic import Field

from fishgate.record import Record


class Rank(str, Enum):
    """Taxonomic ranks that a label can stand for, narrowest first."""

    SPECIES = "species"
    GENUS = "genus"
    FAMILY = "family"
    ORDER = "order"

    @property
    def width(self) -> int:
        """How wide the rank is: 0 for a species, more for each rank above it."""
        return _WIDTHS[self]


_WIDTHS = {rank: width for width, rank in enumerate(Rank)}


class Taxon(Record):
    """One thing that a model can name.

    ``label`` is the common name shown to people. ``scientific_name`` and ``rank`` are None when
    the source of the label does not say which taxon it means. The higher ranks are None when
    they are not known.
    """

    label: str = Field(min_length=1)
    scientific_name: str | None = None
    rank: Rank | None = None
    kingdom: str | None = None
    phylum: str | None = None
    class_: str | None = Field(default=None, alias="class")
    order: str | None = None
    family: str | None = None

    @property
    def genus(self) -> str | None:
        """The genus, which a species carries as the first word of its name; None where neither is named."""
        if self.scientific_name is None or self.rank not in (Rank.SPECIES, Rank.GENUS):
            return None
        return self.scientific_name.partition(" ")[0]

    def name_at(self, rank: Rank) -> str | None:
        """Return the scientific name of what this is at ``rank``; None if unknown or narrower than this."""
        if rank is self.rank:
            return self.scientific_name
        if self.rank is not None and rank.width < self.rank.width:
            return None
        return {Rank.GENUS: self.genus, Rank.FAMILY: self.family, Rank.ORDER: self.order}.get(rank)

    @property
    def lineage(self) -> tuple[str, ...]:
        """The known names from kingdom down to the taxon itself, each once."""
        higher = (self.kingdom, self.phylum, self.class_, self.order, self.family)
        return tuple(dict.fromkeys(name for name in (*higher, self.scientific_name) if name))

    def is_called(self, name: str) -> bool:
        """Tell whether ``name`` is this taxon's label or scientific name, whatever the case."""
        own_names = {self.label.casefold(), (self.scientific_name or self.label).casefold()}
        return name.strip().casefold() in own_names
