"""The taxa behind the labels, read from the two lists beside the photographs.

Owns the expert's classes in output order and the facts of single species. Which species a source
means is said by ``training.species``.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fishgate.taxonomy import Rank, Taxon

NOT_FISH_CLASSES = {"Shrimp": ("Arthropoda", "Malacostraca")}
"""The expert's class that is no fish, with its phylum and class."""


@dataclass(frozen=True)
class FishFacts:
    """What the species list says of one species; ``common_name`` may be empty."""

    scientific_name: str
    genus: str
    family: str
    order: str
    class_: str
    common_name: str


def read_expert_taxa(path: Path) -> list[Taxon]:
    """Read the expert's taxa in the order of its outputs; raise ValueError if a number is missing."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if [row["index"] for row in rows] != [str(i) for i in range(len(rows))]:
        raise ValueError(f"{path.name} must number its classes 0, 1, 2, … in order")
    return [_expert_taxon(row) for row in rows]


def read_fish_facts(path: Path) -> dict[str, FishFacts]:
    """Read the list of all fish species, by scientific name."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["scientific_name"]: _facts(row) for row in csv.DictReader(file)}


def index_of_labels(taxa: Sequence[Taxon]) -> dict[str, int]:
    """Return each label's output by its casefolded name: one source spells KnifeFish otherwise."""
    return {taxon.label.casefold(): i for i, taxon in enumerate(taxa)}


def fish_taxon(label: str, scientific_name: str, rank: Rank, facts: FishFacts) -> Taxon:
    """Return the taxon of a fish, of which ``facts`` describe the species or one of its species."""
    return Taxon(
        label=label,
        scientific_name=scientific_name,
        rank=rank,
        kingdom="Animalia",
        phylum="Chordata",
        order=facts.order,
        family=facts.family,
        **{"class": facts.class_},
    )


def _expert_taxon(row: dict[str, str]) -> Taxon:
    if not row["scientific_name"]:
        return Taxon(label=row["class"])
    phylum, class_ = NOT_FISH_CLASSES.get(row["class"], ("Chordata", "Actinopterygii"))
    return Taxon(
        label=row["class"],
        scientific_name=row["scientific_name"],
        rank=Rank(row["rank"]),
        kingdom="Animalia",
        phylum=phylum,
        order=row["order"] or None,
        family=row["family"] or None,
        **{"class": class_},
    )


def _facts(row: dict[str, str]) -> FishFacts:
    return FishFacts(
        scientific_name=row["scientific_name"],
        genus=row["genus"],
        family=row["family"],
        order=row["order"],
        class_=row["class"],
        common_name=row["common_name_fishbase"],
    )
