"""The probability of a taxon is the sum over the labels that belong to it."""

from __future__ import annotations

import numpy as np
import pytest

from fishgate.lineages import Lineages, Mass
from fishgate.taxonomy import Rank, Taxon
from tests.fishgate.opinions import PIKE, TILAPIA, species

BLUE = species("Blue Tilapia", "Oreochromis aureus", "Cichlidae", "Cichliformes")
OSCAR = species("Oscar", "Astronotus ocellatus", "Cichlidae", "Cichliformes")
SNAKEHEAD = species("Snakehead", "Channa striata", "Channidae", "Anabantiformes")
MUDFISH = species("Mudfish", "channa STRIATA", "Channidae", "Anabantiformes")
CATFISH = Taxon(label="Catfish", scientific_name="Clarias", rank=Rank.GENUS, family="Clariidae", order="Siluriformes")
WALKING = species("Walking Catfish", "Clarias batrachus", "Clariidae", "Siluriformes")
GOBY = Taxon(label="Goby", scientific_name="Gobiidae", rank=Rank.FAMILY, order="Gobiiformes")
MYSTERY = Taxon(label="Mystery fish")
HALF_KNOWN = Taxon(label="Some cichlid", family="Cichlidae")

Sums = dict[str, float]

CASES: dict[str, tuple[dict[Taxon, float], Rank, Sums]] = {
    "a species is its own": ({TILAPIA: 0.7, PIKE: 0.3}, Rank.SPECIES, {"Tilapia": 0.7, "Pike": 0.3}),
    "two labels of one species": ({MUDFISH: 0.25, SNAKEHEAD: 0.5}, Rank.SPECIES, {"Snakehead": 0.75}),
    "two species of one genus": ({TILAPIA: 0.5, BLUE: 0.25, OSCAR: 0.15}, Rank.GENUS, {"Oreochromis": 0.75}),
    "a genus and a species of it": ({CATFISH: 0.5, WALKING: 0.25}, Rank.GENUS, {"Clarias": 0.75}),
    "a genus is no species": ({CATFISH: 0.5, WALKING: 0.25}, Rank.SPECIES, {"Walking Catfish": 0.25}),
    "two genera of one family": ({TILAPIA: 0.5, OSCAR: 0.25, PIKE: 0.1}, Rank.FAMILY, {"Cichlidae": 0.75}),
    "a family is no genus": ({GOBY: 0.6, PIKE: 0.4}, Rank.GENUS, {"Esox": 0.4}),
    "a family that is itself the label": ({GOBY: 0.6, PIKE: 0.4}, Rank.FAMILY, {"Gobiidae": 0.6, "Esocidae": 0.4}),
    "orders": ({GOBY: 0.6, PIKE: 0.4}, Rank.ORDER, {"Gobiiformes": 0.6, "Esociformes": 0.4}),
    "a label without taxon is as narrow as a species": ({MYSTERY: 0.6}, Rank.SPECIES, {"Mystery fish": 0.6}),
    "a label without taxon is in no genus": ({MYSTERY: 0.6}, Rank.GENUS, {}),
    "a label without taxon is in no order": ({MYSTERY: 0.6}, Rank.ORDER, {}),
    "what is known of a half-known label counts": ({HALF_KNOWN: 0.3, OSCAR: 0.4}, Rank.FAMILY, {"Cichlidae": 0.7}),
}


def masses(shares: dict[Taxon, float], *, least: float = 0.2) -> tuple[Mass, ...]:
    return Lineages.of([*shares]).masses(np.array([*shares.values()], dtype=np.float32), least=least)


@pytest.mark.parametrize(("shares", "rank", "sums"), CASES.values(), ids=CASES)
def test_probabilities_sum_to(shares: dict[Taxon, float], rank: Rank, sums: Sums) -> None:
    found = [mass for mass in masses(shares) if (mass.rank or Rank.SPECIES) is rank]
    assert {mass.label: mass.probability for mass in found} == pytest.approx(sums)


def test_a_species_is_called_by_its_most_probable_label() -> None:
    assert masses({SNAKEHEAD: 0.3, MUDFISH: 0.4})[0].label == "Mudfish"
    assert masses({MUDFISH: 0.4, SNAKEHEAD: 0.4})[0].label == "Mudfish", "of equals, the first by its text"
    assert masses({SNAKEHEAD: 0.4, MUDFISH: 0.4})[0].label == "Mudfish"


def test_a_mass_tells_its_taxon() -> None:
    assert masses({TILAPIA: 0.75, MYSTERY: 0.25}) == (
        Mass("Tilapia", "Oreochromis niloticus", Rank.SPECIES, 0.75),
        Mass("Mystery fish", None, None, 0.25),
        Mass("Oreochromis", "Oreochromis", Rank.GENUS, 0.75),
        Mass("Cichlidae", "Cichlidae", Rank.FAMILY, 0.75),
        Mass("Cichliformes", "Cichliformes", Rank.ORDER, 0.75),
    )


def test_what_is_less_than_noteworthy_is_left_out_but_counted_above() -> None:
    found = masses({TILAPIA: 0.15, BLUE: 0.15, PIKE: 0.1}, least=0.2)
    assert [mass.label for mass in found] == ["Oreochromis", "Cichlidae", "Cichliformes"]


def test_equally_probable_taxa_come_in_the_order_of_their_names() -> None:
    found = masses({PIKE: 0.25, TILAPIA: 0.25, SNAKEHEAD: 0.25, OSCAR: 0.25})
    names = [mass.scientific_name for mass in found if mass.rank is Rank.SPECIES]
    assert names == ["Astronotus ocellatus", "Channa striata", "Esox lucius", "Oreochromis niloticus"]


def test_thousands_of_labels_sum_as_a_short_list_does() -> None:
    taxa = [species(f"fish {i}", f"Genus{i // 4} s{i}", f"Family{i // 20}", f"Order{i // 200}") for i in range(4_000)]
    found = Lineages.of(taxa).masses(np.full(4_000, 1 / 4_000, dtype=np.float32), least=0.01)
    assert {mass.rank for mass in found} == {Rank.ORDER}
    assert [mass.probability for mass in found] == pytest.approx([0.05] * 20, rel=1e-4)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_probabilities_of_other_labels_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} probabilities do not fit the lineages of 2 labels"):
        Lineages.of([TILAPIA, PIKE]).masses(np.zeros(count, dtype=np.float32), least=0.01)
