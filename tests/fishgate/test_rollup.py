"""The roll-up names the narrowest taxon that reaches the floor, over all models asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fishgate.answer import Opinion
from fishgate.rollup import RolledUp, roll_up
from fishgate.taxonomy import Rank, Taxon
from tests.fishgate.opinions import PIKE, TILAPIA, opinion, species, spread

BLUE = species("Blue Tilapia", "Oreochromis aureus", "Cichlidae", "Cichliformes")
OSCAR = species("Oscar", "Astronotus ocellatus", "Cichlidae", "Cichliformes")
CONVICT = species("Convict Blenny", "Pholidichthys leucotaenia", "Pholidichthyidae", "Cichliformes")
NILE = species("Nile Tilapia", "Oreochromis niloticus", "Cichlidae", "Cichliformes")
SNAKEHEAD = species("Snakehead", "Channa striata", "Channidae", "Anabantiformes")
MUDFISH = species("Mudfish", "Channa striata", "Channidae", "Anabantiformes")
CLARIAS = Taxon(label="Catfish", scientific_name="Clarias", rank=Rank.GENUS, family="Clariidae", order="Siluriformes")
WALKING = species("Walking Catfish", "Clarias batrachus", "Clariidae", "Siluriformes")
CICHLID = Taxon(label="Cichlid", scientific_name="Cichlidae", rank=Rank.FAMILY, order="Cichliformes")
MYSTERY = Taxon(label="Mystery fish")

EVERY_TAXON = (TILAPIA, BLUE, OSCAR, CONVICT, SNAKEHEAD, MUDFISH, CLARIAS, WALKING, CICHLID, PIKE, MYSTERY)

Shares = dict[Taxon, float]
Named = tuple[str, Rank | None, float, str]  # label, rank, confidence, source

ALONE: dict[str, tuple[Shares, Named | None]] = {  # zero-shot alone, floor 0.6
    "a species": ({TILAPIA: 0.7, PIKE: 0.3}, ("Tilapia", Rank.SPECIES, 0.7, "zero_shot")),
    "exactly the floor": ({TILAPIA: 0.6, PIKE: 0.4}, ("Tilapia", Rank.SPECIES, 0.6, "zero_shot")),
    "two labels of one species": ({SNAKEHEAD: 0.3, MUDFISH: 0.4}, ("Mudfish", Rank.SPECIES, 0.7, "zero_shot")),
    "two species of one genus": ({TILAPIA: 0.5, BLUE: 0.4}, ("Oreochromis", Rank.GENUS, 0.9, "zero_shot")),
    "a genus and its species": ({CLARIAS: 0.4, WALKING: 0.3}, ("Clarias", Rank.GENUS, 0.7, "zero_shot")),
    "a label that is a genus": ({CLARIAS: 0.8}, ("Clarias", Rank.GENUS, 0.8, "zero_shot")),
    "two genera of one family": ({TILAPIA: 0.4, OSCAR: 0.4}, ("Cichlidae", Rank.FAMILY, 0.8, "zero_shot")),
    "a family and its species": ({CICHLID: 0.3, OSCAR: 0.4}, ("Cichlidae", Rank.FAMILY, 0.7, "zero_shot")),
    "two families of one order": ({OSCAR: 0.4, CONVICT: 0.4}, ("Cichliformes", Rank.ORDER, 0.8, "zero_shot")),
    "nothing in common": ({TILAPIA: 0.5, PIKE: 0.5}, None),
    "just below the floor": ({TILAPIA: 0.59, PIKE: 0.41}, None),
    "a label without taxon": ({MYSTERY: 0.7, PIKE: 0.3}, ("Mystery fish", None, 0.7, "zero_shot")),
    "a label without taxon adds to none": ({MYSTERY: 0.3, TILAPIA: 0.3, OSCAR: 0.2}, None),
}

TOGETHER: dict[str, tuple[Shares, Shares, Named | None]] = {  # expert, zero-shot, floor 0.4
    "both agree": ({TILAPIA: 0.5}, {NILE: 0.7}, ("Nile Tilapia", Rank.SPECIES, 0.6, "zero_shot")),
    "both agree, the expert more": ({TILAPIA: 0.7}, {NILE: 0.3}, ("Tilapia", Rank.SPECIES, 0.5, "expert")),
    "both agree alike": ({TILAPIA: 0.5}, {NILE: 0.5}, ("Nile Tilapia", Rank.SPECIES, 0.5, "zero_shot")),
    "sums that are no binary fractions": (
        {TILAPIA: 0.1},
        {NILE: 0.7},
        ("Nile Tilapia", Rank.SPECIES, 0.4, "zero_shot"),
    ),
    "two species of a genus": ({BLUE: 0.7}, {NILE: 0.5}, ("Oreochromis", Rank.GENUS, 0.6, "expert")),
    "two genera of a family": ({BLUE: 0.5}, {OSCAR: 0.6}, ("Cichlidae", Rank.FAMILY, 0.55, "zero_shot")),
    "the one knows only the family": ({CICHLID: 0.6}, {NILE: 0.5}, ("Cichlidae", Rank.FAMILY, 0.55, "expert")),
    "two families of an order": ({CONVICT: 0.5}, {OSCAR: 0.6}, ("Cichliformes", Rank.ORDER, 0.55, "zero_shot")),
    "they differ in everything": ({PIKE: 0.7}, {OSCAR: 0.7}, None),
    "one is sure, the other does not know it": ({PIKE: 0.85}, {}, ("Pike", Rank.SPECIES, 0.425, "expert")),
    "one is not sure enough for two": ({PIKE: 0.79}, {}, None),
    "the same label without taxon": ({MYSTERY: 0.4}, {MYSTERY: 0.5}, ("Mystery fish", None, 0.45, "zero_shot")),
}


def said(kind: str, shares: Shares) -> Opinion:
    return opinion(kind, {**shares, **spread(1 - sum(shares.values()), kind)})


def told(found: RolledUp | None) -> Named | None:
    if found is None:
        return None
    return found.taxon.label, found.taxon.rank, found.taxon.confidence, found.source.value


@pytest.mark.parametrize(("shares", "expected"), ALONE.values(), ids=ALONE)
def test_one_model_rolls_up_to(shares: Shares, expected: Named | None) -> None:
    assert told(roll_up([said("zero_shot", shares)], floor=0.6)) == expected


@pytest.mark.parametrize(("expert", "zero_shot", "expected"), TOGETHER.values(), ids=TOGETHER)
def test_two_models_roll_up_to(expert: Shares, zero_shot: Shares, expected: Named | None) -> None:
    opinions = [said("zero_shot", zero_shot), said("expert", expert)]
    assert told(roll_up(opinions, floor=0.4)) == expected


def test_a_species_keeps_its_scientific_name_and_a_higher_taxon_is_called_by_it() -> None:
    species_found = roll_up([said("expert", {TILAPIA: 0.9})], floor=0.5)
    genus_found = roll_up([said("expert", {TILAPIA: 0.4, BLUE: 0.4})], floor=0.5)
    assert species_found is not None
    assert species_found.taxon.scientific_name == "Oreochromis niloticus"
    assert genus_found is not None
    assert (genus_found.taxon.label, genus_found.taxon.scientific_name) == ("Oreochromis", "Oreochromis")


def test_of_equally_probable_taxa_the_first_by_name_is_taken() -> None:
    for shares in ({TILAPIA: 0.5, PIKE: 0.5}, {PIKE: 0.5, TILAPIA: 0.5}):
        found = roll_up([said("zero_shot", shares)], floor=0.5)
        assert told(found) == ("Pike", Rank.SPECIES, 0.5, "zero_shot"), "Esox comes before Oreochromis"


def test_weights_say_how_much_each_opinion_counts() -> None:
    opinions = [said("zero_shot", {PIKE: 0.9}), said("expert", {TILAPIA: 0.9})]
    for weights, label, confidence in (((0.8, 0.2), "Pike", 0.72), ((0.3, 0.7), "Tilapia", 0.63)):
        found = roll_up(opinions, floor=0.6, weights=weights)
        assert found is not None
        assert (found.taxon.label, found.taxon.confidence) == (label, confidence)


def test_each_opinion_needs_a_weight() -> None:
    with pytest.raises(ValueError, match="shorter"):
        roll_up([said("expert", {PIKE: 0.9})] * 2, floor=0.6, weights=(1.0,))


def test_opinions_without_masses_roll_up_to_nothing() -> None:
    empty = said("expert", {TILAPIA: 1.0}).model_copy(update={"masses": ()})
    assert roll_up([empty], floor=0.1) is None
    assert roll_up([], floor=0.1) is None


# Shares in steps of 0.02, so that none is too small to be told and no mean of two is a floor below.
_SHARES = st.lists(st.sampled_from(EVERY_TAXON), min_size=50, max_size=50).map(
    lambda drawn: {taxon: count / 50 for taxon, count in Counter(drawn).items()}
)
_FAIRLY = settings(max_examples=50, deadline=None)  # a busy machine is no failure
_FLOORS = st.integers(0, 99).map(lambda percent: percent / 100 + 0.005)


def pooled(models: Iterable[Shares], rank: Rank) -> dict[str, float]:
    """What a person would add up with pencil and paper."""
    sums: Counter[str] = Counter()
    for shares in models:
        for taxon, share in shares.items():
            name = taxon.label if taxon is MYSTERY and rank is Rank.SPECIES else taxon.name_at(rank)
            sums.update({name: share / 2} if name else {})
    return dict(sums)


@_FAIRLY
@given(expert=_SHARES, zero_shot=_SHARES, floor=_FLOORS)
def test_the_rank_is_the_lowest_that_clears_the_floor(expert: Shares, zero_shot: Shares, floor: float) -> None:
    found = roll_up([opinion("zero_shot", zero_shot), opinion("expert", expert)], floor=floor)
    most = {rank: max(pooled((expert, zero_shot), rank).values(), default=0.0) for rank in Rank}
    clearing = [rank for rank in Rank if most[rank] >= floor]
    assert (found is None) == (clearing == [])
    if found:
        assert found.taxon.rank in ((clearing[0], None) if clearing[0] is Rank.SPECIES else (clearing[0],))
        assert found.taxon.confidence == pytest.approx(most[clearing[0]], abs=2e-6)


@_FAIRLY
@given(shares=_SHARES)
def test_the_mass_never_falls_on_the_way_up(shares: Shares) -> None:
    told_masses = {(mass.scientific_name, mass.rank): mass.confidence for mass in opinion("expert", shares).masses}
    for taxon in shares:
        names = [(taxon.name_at(rank), rank) for rank in Rank if taxon.name_at(rank)]
        masses = [told_masses[name] for name in names]
        assert masses == sorted(masses)


@_FAIRLY
@given(expert=_SHARES, zero_shot=_SHARES, floor=_FLOORS, data=st.data())
def test_the_order_of_the_labels_has_no_say(
    expert: Shares, zero_shot: Shares, floor: float, data: st.DataObject
) -> None:
    turned = dict(data.draw(st.permutations([*expert.items()])))
    other = opinion("zero_shot", zero_shot)
    first, second = (roll_up([other, opinion("expert", shares)], floor=floor) for shares in (expert, turned))
    assert told(first) == told(second)
