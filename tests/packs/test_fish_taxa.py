"""Which lineages are a fish's, in whatever system they are written."""

from __future__ import annotations

import csv

import pytest

from fishgate.species_list import Row
from packs.fish_taxa import CLASSES, families, is_fish, orders
from tests.conftest import SHARED

FISHBASE = SHARED / "lists" / "fishbase_taxa.csv"

LINEAGES = {  # kingdom, phylum, class, order, family → a fish's?
    "class and order": (("Animalia", "Chordata", "Actinopterygii", "Esociformes", "Esocidae"), True),
    "class in another system": (("Animalia", "Chordata", "Teleostei", "", ""), True),
    "empty class, known order": (("Animalia", "Chordata", "", "Perciformes", ""), True),
    "empty class and order, known family": (("Animalia", "Chordata", "", "", "Gobiidae"), True),
    "empty class, order of no rank": (("Animalia", "Chordata", "", "Eupercaria incertae sedis", "Moronidae"), True),
    "shark": (("Animalia", "Chordata", "Elasmobranchii", "Lamniformes", "Lamnidae"), True),
    "lamprey": (("Animalia", "Chordata", "Petromyzonti", "Petromyzontiformes", "Petromyzontidae"), True),
    "hagfish without class": (("Animalia", "Chordata", "", "Myxiniformes", "Myxinidae"), True),
    "lungfish": (("Animalia", "Chordata", "Dipneusti", "Ceratodontiformes", "Protopteridae"), True),
    "whatever the case": (("ANIMALIA", "chordata", "", "PERCIFORMES", ""), True),
    "nothing above the family": (("", "", "", "", "Esocidae"), True),
    "turtle without class": (("Animalia", "Chordata", "", "Testudines", "Cheloniidae"), False),
    "crocodile without class": (("Animalia", "Chordata", "", "Crocodylia", "Crocodylidae"), False),
    "lizard without class": (("Animalia", "Chordata", "", "Squamata", "Gekkonidae"), False),
    "sea squirt without class": (("Animalia", "Chordata", "", "", "Ascidiidae"), False),
    "whale": (("Animalia", "Chordata", "Mammalia", "Cetacea", "Delphinidae"), False),
    "frog": (("Animalia", "Chordata", "Amphibia", "Anura", "Ranidae"), False),
    "lancelet": (("Animalia", "Chordata", "Leptocardii", "", "Branchiostomatidae"), False),
    "the class outweighs the order": (("Animalia", "Chordata", "Mammalia", "Perciformes", ""), False),
    "a fish's order in another phylum": (("Animalia", "Arthropoda", "", "Perciformes", ""), False),
    "a fish's family in another kingdom": (("Plantae", "", "", "", "Esocidae"), False),
    "nothing known": (("", "", "", "", ""), False),
}


@pytest.mark.parametrize(("ranks", "expected"), LINEAGES.values(), ids=LINEAGES)
def test_a_fish_is_told_from_what_is_none(ranks: tuple[str, ...], expected: bool) -> None:
    assert is_fish(Row("", "Genus epithet", "", *ranks)) is expected


@pytest.mark.skipif(not FISHBASE.is_file(), reason="no ../shared/lists on this machine")
@pytest.mark.parametrize("missing", ["class", "class and order", "class and family"])
def test_nearly_every_known_fish_is_found_without_its_class(missing: str) -> None:
    with FISHBASE.open(encoding="utf-8") as file:
        lineages = [(row["order"], row["family"]) for row in csv.DictReader(file)]
    rows = [
        Row("", "", "", "Animalia", "Chordata", "", "" if "order" in missing else o, "" if "family" in missing else f)
        for o, f in lineages
    ]
    assert sum(map(is_fish, rows)) >= 0.999 * len(rows) > 30_000


def test_the_table_holds_names_only() -> None:
    assert {name for name in orders() if not name.endswith("iformes")} == set()
    assert {name for name in families() if not name.endswith("idae")} == set()
    assert all(name == name.casefold() for name in CLASSES)
