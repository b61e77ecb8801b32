"""What a label means."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from fishgate.taxonomy import Rank, Taxon
from tests.toys import TAXA

TILAPIA = Taxon.model_validate(TAXA[0])

NAMES = [
    ("Tilapia", True),
    ("tilapia", True),
    ("  TILAPIA ", True),
    ("Oreochromis niloticus", True),
    ("oreochromis NILOTICUS", True),
    ("Oreochromis", False),
    ("", False),
    ("Cichlidae", False),
]


@pytest.mark.parametrize(("name", "is_called"), NAMES, ids=[name or "nothing" for name, _ in NAMES])
def test_a_taxon_is_called_by_either_name_whatever_the_case(name: str, is_called: bool) -> None:
    assert TILAPIA.is_called(name) is is_called


def test_a_taxon_without_scientific_name_is_not_called_none() -> None:
    assert not Taxon(label="Mystery fish").is_called("None")


def test_the_lineage_runs_from_the_kingdom_down_to_the_taxon() -> None:
    assert TILAPIA.lineage == (
        "Animalia",
        "Chordata",
        "Actinopterygii",
        "Cichliformes",
        "Cichlidae",
        "Oreochromis niloticus",
    )


def test_the_lineage_names_a_family_that_is_itself_the_taxon_only_once() -> None:
    knifefish = Taxon(label="Knifefish", scientific_name="Notopteridae", rank=Rank.FAMILY, family="Notopteridae")
    assert knifefish.lineage == ("Notopteridae",)


def test_the_lineage_leaves_out_what_is_not_known() -> None:
    assert Taxon(label="Mystery fish").lineage == ()


GENUS = Taxon(label="Catfish", scientific_name="Clarias", rank=Rank.GENUS, family="Clariidae", order="Siluriformes")
FAMILY = Taxon(label="Goby", scientific_name="Gobiidae", rank=Rank.FAMILY, family="Gobiidae", order="Gobiiformes")
ORDER = Taxon(label="Flatfish", scientific_name="Pleuronectiformes", rank=Rank.ORDER)
SUBSPECIES = Taxon(label="Brown Trout", scientific_name="Salmo trutta fario", rank=Rank.SPECIES)
HALF_KNOWN = Taxon(label="Some cichlid", family="Cichlidae")
CONTRADICTORY = Taxon(label="Goby", scientific_name="Gobiidae", rank=Rank.FAMILY, family="Eleotridae")

NAMES_AT_RANKS = {  # species, genus, family, order
    "species": (TILAPIA, ("Oreochromis niloticus", "Oreochromis", "Cichlidae", "Cichliformes")),
    "genus": (GENUS, (None, "Clarias", "Clariidae", "Siluriformes")),
    "family": (FAMILY, (None, None, "Gobiidae", "Gobiiformes")),
    "order": (ORDER, (None, None, None, "Pleuronectiformes")),
    "a name of three words": (SUBSPECIES, ("Salmo trutta fario", "Salmo", None, None)),
    "nothing but a label": (Taxon(label="Mystery fish"), (None, None, None, None)),
    "nothing but a family": (HALF_KNOWN, (None, None, "Cichlidae", None)),
    "its own name comes first": (CONTRADICTORY, (None, None, "Gobiidae", None)),
}


@pytest.mark.parametrize(("taxon", "names"), NAMES_AT_RANKS.values(), ids=NAMES_AT_RANKS)
def test_a_taxon_has_a_name_at_each_rank(taxon: Taxon, names: tuple[str | None, ...]) -> None:
    assert tuple(taxon.name_at(rank) for rank in Rank) == names


@pytest.mark.parametrize(("taxon", "names"), NAMES_AT_RANKS.values(), ids=NAMES_AT_RANKS)
def test_the_genus_is_what_stands_at_its_rank(taxon: Taxon, names: tuple[str | None, ...]) -> None:
    assert taxon.genus == names[1]


def test_ranks_grow_wider_from_species_to_order() -> None:
    assert [rank.width for rank in (Rank.SPECIES, Rank.GENUS, Rank.FAMILY, Rank.ORDER)] == [0, 1, 2, 3]


def test_an_empty_label_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 character"):
        Taxon(label="")


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Taxon.model_validate({"label": "Tilapia", "latin": "Oreochromis"})


def test_a_taxon_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TILAPIA.label = "Salmon"  # type: ignore[misc]
