"""Probabilities become an opinion: best first, ties in the order of the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from fishgate.answer import Opinion, Promise, Source, opinion_from
from fishgate.lineages import Lineages
from fishgate.model_card import ModelCard
from fishgate.taxonomy import Rank
from tests.toys import card

ORDERS = {
    "first best": ([0.7, 0.2, 0.1], ["Tilapia", "Gourami", "Mystery fish"]),
    "last best": ([0.1, 0.2, 0.7], ["Mystery fish", "Gourami", "Tilapia"]),
    "all equal": ([1 / 3, 1 / 3, 1 / 3], ["Tilapia", "Gourami", "Mystery fish"]),
    "two equal": ([0.2, 0.4, 0.4], ["Gourami", "Mystery fish", "Tilapia"]),
}


def opinion(probabilities: list[float], *, top_k: int = 5, of: ModelCard | None = None) -> Opinion:
    model = of or card()
    return opinion_from(np.array(probabilities, dtype=np.float32), model.taxa, model, top_k=top_k)


@pytest.mark.parametrize(("probabilities", "labels"), ORDERS.values(), ids=ORDERS)
def test_candidates_come_best_first_and_ties_in_label_order(probabilities: list[float], labels: list[str]) -> None:
    assert [candidate.label for candidate in opinion(probabilities).candidates] == labels


def test_equal_candidates_keep_their_order_in_a_long_list() -> None:
    many = card(labels={str(i): {"label": f"fish {i}"} for i in range(200)})
    found = opinion([0.001, 0.009] * 100, top_k=50, of=many)
    assert [candidate.label for candidate in found.candidates] == [f"fish {i}" for i in range(1, 101, 2)]


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (2, 2), (3, 3), (50, 3)])
def test_no_more_candidates_than_asked_for_or_known(top_k: int, count: int) -> None:
    assert len(opinion([0.2, 0.5, 0.3], top_k=top_k).candidates) == count


def test_a_candidate_tells_its_taxon_and_confidence() -> None:
    assert opinion([0.75, 0.25, 0.0]).best.model_dump(mode="json") == {
        "label": "Tilapia",
        "scientific_name": "Oreochromis niloticus",
        "rank": "species",
        "confidence": 0.75,
    }


def test_a_taxon_that_is_not_known_is_null_in_the_answer() -> None:
    best = opinion([0.0, 0.0, 1.0]).best.model_dump(mode="json")
    assert (best["scientific_name"], best["rank"]) == (None, None)


@pytest.mark.parametrize("kind", ["expert", "zero_shot"])
def test_an_opinion_tells_whose_it_is(kind: str) -> None:
    found = opinion([1.0, 0.0, 0.0], of=card(kind, gate={"threshold": 0.87, "evidence": ""}))
    assert (found.source, found.model, found.threshold) == (Source(kind), f"{kind}-1", 0.87)


def test_a_confidence_has_six_places_and_stays_within_0_and_1() -> None:
    values = [candidate.confidence for candidate in opinion([1.0000001, 0.12345678, -1e-9]).candidates]
    assert values == [1.0, 0.123457, 0.0]


@pytest.mark.parametrize(("certainty", "told"), [(None, 0.75), (0.31, 0.31), (0.0, 0.0), (1.0000001, 1.0)])
def test_the_certainty_is_the_confidence_unless_given(certainty: float | None, told: float) -> None:
    model = card()
    probabilities = np.array([0.75, 0.25, 0.0], dtype=np.float32)
    found = opinion_from(probabilities, model.taxa, model, top_k=1, certainty=certainty)
    assert (found.certainty, found.best.confidence) == (told, 0.75)


def test_masses_are_summed_over_all_labels_not_only_the_candidates() -> None:
    names = ["Oreochromis aureus", "Oreochromis mossambicus", "Oreochromis niloticus"]
    labels = {str(i): {"label": name, "scientific_name": name, "rank": "species"} for i, name in enumerate(names)}
    found = opinion([0.375, 0.375, 0.25], top_k=1, of=card(labels=labels))
    genus = [mass for mass in found.masses if mass.rank is Rank.GENUS]
    assert [(mass.label, mass.scientific_name, mass.confidence) for mass in genus] == [("Oreochromis",) * 2 + (1.0,)]
    assert len(found.candidates) == 1


def test_masses_leave_out_what_is_less_than_a_hundredth() -> None:
    many = card(labels={str(i): {"label": f"fish {i}"} for i in range(200)})
    assert opinion([0.005] * 200, of=many).masses == ()
    assert {mass.label for mass in opinion([0.0, 0.02] * 50 + [0.0] * 100, of=many).masses} == {
        f"fish {i}" for i in range(1, 100, 2)
    }


def test_given_lineages_are_used() -> None:
    model = card()
    lineages = Lineages.of([taxon.model_copy(update={"label": taxon.label.upper()}) for taxon in model.taxa])
    found = opinion_from(np.array([0.7, 0.2, 0.1]), model.taxa, model, top_k=1, lineages=lineages)
    assert found.masses[0].label == "TILAPIA"


@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_an_opinion_tells_the_promise_of_its_certificate(threshold: float) -> None:
    certificate = {
        "risk": 0.02,
        "confidence": 0.95,
        "method": "a test",
        "pictures": 1000,
        "accepted": 700,
        "wrong": 7,
        "coverage": 0.7,
        "data_sha256": "0" * 64,
        "model_sha256": "1" * 64,
    }
    certified = card(gate={"threshold": threshold, "evidence": "", "certificate": certificate})
    assert opinion([0.7, 0.2, 0.1], of=certified).promise == Promise(
        risk=0.02, confidence=0.95, coverage=0.7, pictures=1000
    )
    assert opinion([0.7, 0.2, 0.1]).promise is None


@pytest.mark.parametrize("count", [0, 2, 4])
def test_probabilities_that_do_not_fit_the_labels_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} probabilities do not fit 3 labels"):
        opinion([0.1] * count)


def test_a_probability_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValidationError, match="finite number"):
        opinion([float("nan"), 0.5, 0.5])


def test_an_opinion_has_at_least_one_candidate() -> None:
    value: dict[str, Any] = {"source": "expert", "model": "1", "certainty": 0.5, "threshold": 0.5, "candidates": []}
    with pytest.raises(ValidationError, match="at least 1 item"):
        Opinion.model_validate(value)
