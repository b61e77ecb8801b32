"""The gate lets sure and allowed opinions through and defers all others."""

from __future__ import annotations

import pytest

from fishgate.answer import Candidate, Opinion, Source
from fishgate.gate import Verdict, judge
from fishgate.options import Options
from tests.fishgate.opinions import expert_opinion

VERDICTS = {  # the expert says Tilapia, its own threshold is 0.87: confidence, options → deferred, threshold
    "sure": (0.93, Options(), False, 0.87),
    "exactly as sure as needed": (0.87, Options(), False, 0.87),
    "not quite sure": (0.869999, Options(), True, 0.87),
    "the client wants less": (0.5, Options(threshold=0.5), False, 0.5),
    "the client wants more": (0.93, Options(threshold=0.95), True, 0.95),
    "the client takes anything": (0.0, Options(threshold=0.0), False, 0.0),
    "the client wants certainty": (0.999999, Options(threshold=1.0), True, 1.0),
    "certain": (1.0, Options(threshold=1.0), False, 1.0),
    "allowed by common name": (0.93, Options(labels=("Pike", "Tilapia")), False, 0.87),
    "allowed whatever the case": (0.93, Options(labels=("TILAPIA",)), False, 0.87),
    "allowed by scientific name": (0.93, Options(labels=("oreochromis niloticus",)), False, 0.87),
    "not among the client's labels": (0.93, Options(labels=("Pike", "Zander")), True, 0.87),
    "part of a name does not count": (0.93, Options(labels=("Oreochromis",)), True, 0.87),
    "allowed but not sure": (0.5, Options(labels=("Tilapia",)), True, 0.87),
    "sure at any threshold but not allowed": (0.93, Options(labels=("Pike",), threshold=0.0), True, 0.0),
}


@pytest.mark.parametrize(("confidence", "options", "deferred", "threshold"), VERDICTS.values(), ids=VERDICTS)
def test_the_gate_judges(confidence: float, options: Options, deferred: bool, threshold: float) -> None:
    assert judge(expert_opinion(confidence), options) == Verdict(deferred=deferred, threshold=threshold)


@pytest.mark.parametrize(("certainty", "deferred"), [(0.2, True), (0.9, False)])
def test_the_gate_reads_the_certainty_not_the_confidence(certainty: float, deferred: bool) -> None:
    opinion = expert_opinion(1.0 - certainty).model_copy(update={"certainty": certainty})
    assert judge(opinion, Options()).deferred is deferred


def test_a_name_that_is_not_known_to_science_is_allowed_by_its_common_name_only() -> None:
    candidate = Candidate(label="Mystery fish", scientific_name=None, rank=None, confidence=1.0)
    opinion = Opinion(source=Source.EXPERT, model="1", certainty=1.0, threshold=0.5, candidates=(candidate,))
    assert not judge(opinion, Options(labels=("mystery fish",))).deferred
    assert judge(opinion, Options(labels=("None",))).deferred


LISTS = {  # the members of the list that the client picked → deferred
    "on the list": ({"esox lucius", "oreochromis niloticus"}, False),
    "on the list by its label": ({"tilapia"}, False),
    "not on the list": ({"esox lucius"}, True),
    "only its genus is on the list": ({"oreochromis"}, True),
}


@pytest.mark.parametrize(("members", "deferred"), LISTS.values(), ids=LISTS)
def test_an_expert_that_is_not_on_the_list_cannot_answer(members: set[str], deferred: bool) -> None:
    options = Options(species_list="lake")
    assert judge(expert_opinion(), options, members=members).deferred is deferred
    assert judge(expert_opinion(0.5), options, members=members).deferred


def test_a_list_cannot_be_judged_without_its_members() -> None:
    with pytest.raises(ValueError, match="the members of 'lake' are needed to judge"):
        judge(expert_opinion(), Options(species_list="lake"))


def test_only_the_best_candidate_counts() -> None:
    second = Candidate(label="Pike", scientific_name=None, rank=None, confidence=0.07)
    opinion = expert_opinion().model_copy(update={"candidates": (expert_opinion().best, second)})
    assert judge(opinion, Options(labels=("Pike",))).deferred
