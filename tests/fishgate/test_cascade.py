"""The expert answers if it may, otherwise zero-shot, and the expert again if zero-shot cannot be had."""

from __future__ import annotations

import asyncio
import json

import pytest

from fishgate.answer import Answer, Opinion, Source
from fishgate.cascade import AskZeroShot, settle
from fishgate.errors import REQUEST_ERRORS, FishgateError
from fishgate.options import Options
from fishgate.wire import reply
from tests.fishgate.opinions import expert_opinion, zero_shot_opinion

ACCEPTED = {  # the JSON of an accepted picture, in the order of its fields
    "label": "Tilapia",
    "scientific_name": "Oreochromis niloticus",
    "rank": "species",
    "confidence": 0.993,
    "source": "expert",
    "deferred": False,
    "low_confidence": False,
    "degraded": False,
    "candidates": [
        {"label": "Tilapia", "scientific_name": "Oreochromis niloticus", "rank": "species", "confidence": 0.993}
    ],
    "expert": {"label": "Tilapia", "confidence": 0.993, "threshold": 0.87},
    "models": {"expert": "demo-1", "zero_shot": None},
}

DEFAULT = Options()
NOT_HAD = [error("zero-shot's own words") for error in REQUEST_ERRORS]


def saying(opinion: Opinion) -> AskZeroShot:
    async def ask() -> Opinion:
        return opinion

    return ask


def raising(error: BaseException) -> AskZeroShot:
    async def ask() -> Opinion:
        raise error

    return ask


async def never() -> Opinion:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def settled(
    expert: Opinion,
    ask: AskZeroShot,
    options: Options = DEFAULT,
    *,
    limit_s: float = 10.0,
) -> Answer:
    return asyncio.run(settle(expert, options, ask_zero_shot=ask, limit_s=limit_s))


def test_an_accepted_picture_has_the_agreed_json() -> None:
    answer = settled(expert_opinion(0.993), raising(AssertionError("zero-shot must not be asked")))
    assert json.dumps(json.loads(reply(answer))) == json.dumps(ACCEPTED)


def test_zero_shot_answers_a_deferred_picture() -> None:
    answer = settled(expert_opinion(0.4), saying(zero_shot_opinion()))
    assert (answer.label, answer.confidence, answer.source) == ("Pike", 0.6, Source.ZERO_SHOT)
    assert (answer.deferred, answer.low_confidence, answer.degraded) == (True, False, False)
    assert answer.candidates == zero_shot_opinion().candidates
    assert answer.expert.model_dump() == {"label": "Tilapia", "confidence": 0.4, "threshold": 0.87}
    assert answer.models.model_dump() == {"expert": "demo-1", "zero_shot": "zero-1"}


def test_the_threshold_that_decided_is_told() -> None:
    answer = settled(expert_opinion(0.93), saying(zero_shot_opinion()), Options(threshold=0.95))
    assert (answer.deferred, answer.expert.threshold) == (True, 0.95)


@pytest.mark.parametrize(("confidence", "is_low"), [(0.39, True), (0.4, False), (0.9, False)])
def test_zero_shot_below_its_own_threshold_is_of_low_confidence(confidence: float, is_low: bool) -> None:
    answer = settled(expert_opinion(0.4), saying(zero_shot_opinion(confidence, threshold=0.4)))
    assert (answer.source, answer.low_confidence, answer.degraded) == (Source.ZERO_SHOT, is_low, False)


@pytest.mark.parametrize("error", NOT_HAD, ids=lambda error: error.code)
def test_the_expert_stands_in_when_zero_shot_fails(error: FishgateError) -> None:
    assert_stood_in(settled(expert_opinion(0.4), raising(error)))


def test_the_expert_stands_in_when_zero_shot_is_too_slow() -> None:
    assert_stood_in(settled(expert_opinion(0.4), never, limit_s=0.01))


def test_a_sure_expert_that_may_not_name_its_fish_is_not_trusted_when_it_stands_in() -> None:
    answer = settled(expert_opinion(0.99), raising(NOT_HAD[0]), Options(labels=("Pike",)))
    assert (answer.label, answer.degraded, answer.low_confidence) == ("Tilapia", True, True)


def test_a_mistake_in_the_code_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        settled(expert_opinion(0.4), raising(ZeroDivisionError("a mistake")))


def assert_stood_in(answer: Answer) -> None:
    assert (answer.label, answer.confidence, answer.source) == ("Tilapia", 0.4, Source.EXPERT)
    assert (answer.deferred, answer.low_confidence, answer.degraded) == (True, True, True)
    assert answer.models.zero_shot is None
