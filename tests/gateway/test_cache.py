"""Answers are remembered for the same picture, options and models."""

from __future__ import annotations

import asyncio

import pytest

from fishgate.answer import Answer, Source
from fishgate.cascade import settle
from fishgate.errors import Overloaded
from fishgate.options import Options
from gateway.cache import AnswerCache, cache_key
from tests.gateway.torchserve_stand_in import EXPERT, ZERO_SHOT, toy_opinion

ENOUGH = 1_000_000


def answer(*, bright: bool = True, expert: str = "1", zero_shot: str | None = "1") -> Answer:
    """An answer of the toy models; degraded if zero-shot's version is None and the picture is dark."""

    async def ask() -> object:
        if zero_shot is None:
            raise Overloaded("away")
        return toy_opinion(ZERO_SHOT, bright=bright, version=zero_shot)

    opinion = toy_opinion(EXPERT, bright=bright, version=expert)
    return asyncio.run(settle(opinion, Options(), ask_zero_shot=ask, limit_s=9.0))  # type: ignore[arg-type]


SAME = cache_key(b"picture", Options())
OTHERS = {
    "another picture": (b"picturf", Options()),
    "another top_k": (b"picture", Options(top_k=1)),
    "labels": (b"picture", Options(labels=("Pike",))),
    "labels in another order": (b"picture", Options(labels=("Zander", "Pike"))),
    "a threshold": (b"picture", Options(threshold=0.5)),
    "a list": (b"picture", Options(species_list="lake")),
}


def test_keys_differ_with_all_that_is_asked() -> None:
    keys = {SAME, *(cache_key(picture, options) for picture, options in OTHERS.values())}
    assert len(keys) == 1 + len(OTHERS)
    assert cache_key(b"picture", Options(labels=("Pike", "Zander"))) not in keys
    assert cache_key(b"picture", Options(top_k=5)) == SAME


@pytest.mark.parametrize("bright", [True, False], ids=["expert", "zero-shot"])
def test_an_answer_comes_back_as_it_was(bright: bool) -> None:
    cache = AnswerCache(ENOUGH)
    cache.put(SAME, answer(bright=bright))
    assert cache.get(SAME) == answer(bright=bright)
    assert cache.get(cache_key(b"other", Options())) is None


def test_a_degraded_answer_is_not_remembered() -> None:
    cache = AnswerCache(ENOUGH)
    cache.put(SAME, answer(bright=False, zero_shot=None))
    assert cache.get(SAME) is None


def test_those_asked_for_longest_ago_are_forgotten_first() -> None:
    cache, one = AnswerCache(ENOUGH), answer()
    keys = [cache_key(bytes([number]), Options()) for number in range(4)]
    cache.put(keys[0], one)
    cache.max_bytes = 3 * cache.bytes_held
    cache.put(keys[1], one)
    cache.put(keys[2], one)
    cache.get(keys[0])
    cache.put(keys[3], one)
    assert [cache.get(key) is not None for key in keys] == [True, False, True, True]
    assert cache.bytes_held <= cache.max_bytes


def test_putting_again_counts_once() -> None:
    cache = AnswerCache(ENOUGH)
    cache.put(SAME, answer())
    held = cache.bytes_held
    cache.put(SAME, answer())
    assert (len(cache), cache.bytes_held) == (1, held)


def test_an_answer_larger_than_all_is_not_remembered() -> None:
    cache = AnswerCache(10)
    cache.put(SAME, answer())
    assert (len(cache), cache.bytes_held) == (0, 0)


CHANGES = {
    "the expert": ({"expert": "2"}, False),
    "zero-shot": ({"zero_shot": "2", "bright": False}, False),
    "nothing": ({"bright": False}, True),
}


@pytest.mark.parametrize(("change", "is_kept"), CHANGES.values(), ids=CHANGES)
def test_all_is_forgotten_when_a_model_has_another_version(change: dict[str, object], is_kept: bool) -> None:
    cache = AnswerCache(ENOUGH)
    cache.put(SAME, answer(bright=False))
    cache.put(cache_key(b"other", Options()), answer(**change))  # type: ignore[arg-type]
    assert (cache.get(SAME) is not None) == is_kept


def test_a_degraded_answer_tells_of_a_new_version_too() -> None:
    cache = AnswerCache(ENOUGH)
    cache.put(SAME, answer())
    cache.put(cache_key(b"other", Options()), answer(bright=False, expert="2", zero_shot=None))
    assert len(cache) == 0


def test_a_worker_that_tells_its_version_is_heard() -> None:
    cache = AnswerCache(ENOUGH)
    cache.version_is(Source.ZERO_SHOT, "1")
    cache.put(SAME, answer(bright=False))
    cache.version_is(Source.ZERO_SHOT, "1")
    assert len(cache) == 1
    cache.version_is(Source.ZERO_SHOT, "2")
    assert len(cache) == 0
