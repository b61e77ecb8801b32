"""Second opinions: whom zero-shot is asked about, when, and what counts as agreement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from fishgate.answer import Candidate, Opinion, Source
from fishgate.errors import FishgateError, Overloaded
from fishgate.packet import read_packet, write_replies
from fishgate.taxonomy import Rank
from gateway.drift_shadow import Shadow, ShadowRule, Verdict, agree
from tests.gateway.engine_parts import BRIGHT, until

EVERY = ShadowRule(share=1.0, after_s=0.0, rest=0.0, patience_s=0.0)


def named(
    label: str, scientific: str | None = None, *, rank: Rank | None = Rank.SPECIES, confidence: float = 0.6
) -> Candidate:
    return Candidate(label=label, scientific_name=scientific, rank=rank, confidence=confidence)


def opinion(*candidates: Candidate, masses: tuple[Candidate, ...] = (), source: Source = Source.EXPERT) -> Opinion:
    first = candidates[0].confidence
    return Opinion(
        source=source, model="1", certainty=first, threshold=0.5, candidates=candidates, masses=masses or candidates
    )


TILAPIA = named("Tilapia", "Oreochromis niloticus")
EXPERT = opinion(TILAPIA)
SAME, OTHER = (
    opinion(one, source=Source.ZERO_SHOT)
    for one in (named("Nile tilapia", "oreochromis niloticus"), named("Pike", "Esox lucius"))
)


@dataclass
class Poster:
    """A zero-shot that says ``result``, or raises it, once ``hold`` is set."""

    result: Opinion | FishgateError | Exception
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    async def post(self, model: str, body: bytes) -> bytes:
        self.asked.append((model, body))
        await self.hold.wait()
        if isinstance(self.result, Exception) and not isinstance(self.result, FishgateError):
            raise self.result
        return write_replies([self.result])

    def spread(self, model: str) -> int:
        return 1


@dataclass
class Story:
    """A shadow, its zero-shot, and what was told."""

    poster: Poster
    shadow: Shadow
    told: list[Verdict | None]

    async def asked_about(self, picture: bytes = BRIGHT) -> Verdict | None:
        """Offer a picture and return the verdict."""
        before = len(self.told)
        self.shadow.offer(picture, EXPERT)
        await until(lambda: len(self.told) > before)
        await asyncio.sleep(0)  # its task is done now
        return self.told[-1]


@asynccontextmanager
async def a_story(
    result: Opinion | FishgateError | Exception = SAME,
    rule: ShadowRule = EVERY,
    *,
    is_free: Callable[[], bool] = lambda: True,
    is_well: Callable[[], bool] = lambda: True,
    draw: Callable[[], float] = lambda: 0.0,
    held: bool = False,
) -> AsyncIterator[Story]:
    poster, told = Poster(result), list[Verdict | None]()
    if not held:
        poster.hold.set()
    shadow = Shadow(poster, rule, is_free=is_free, is_well=is_well, tell=told.append, draw=draw)
    try:
        yield Story(poster, shadow, told)
    finally:
        await shadow.close()


VERDICTS = {
    "the same name": (SAME, Verdict.AGREE),
    "another one": (OTHER, Verdict.DISAGREE),
    "an error for the picture": (Overloaded("too much to do"), Verdict.FAILED),
}


@pytest.mark.parametrize(("result", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_what_zero_shot_says_is_told(result: Opinion | FishgateError, verdict: Verdict) -> None:
    async def story() -> None:
        async with a_story(result) as one:
            assert await one.asked_about() is verdict
            ((model, body),) = one.poster.asked
            (picture,) = read_packet(body).pictures
            assert (model, picture.picture, picture.fields) == ("zero_shot", BRIGHT, {})
            assert picture.deadline_unix_s is not None

    asyncio.run(story())


def test_a_failure_of_our_own_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with a_story(ZeroDivisionError("a slip")) as one:
            assert await one.asked_about() is Verdict.FAILED
            assert await one.asked_about() is Verdict.FAILED  # and it goes on

    with caplog.at_level(logging.ERROR):
        asyncio.run(story())
    assert "a slip" in caplog.text


def test_a_zero_shot_that_is_late_has_failed() -> None:
    async def story() -> None:
        async with a_story(rule=ShadowRule(share=1.0, after_s=0.0, limit_s=0.01), held=True) as one:
            assert await one.asked_about() is Verdict.FAILED

    asyncio.run(story())


def test_only_the_share_that_is_set_is_asked_about() -> None:
    numbers = iter([0.5, 0.02, 0.019, 0.9])

    async def story() -> None:
        rule = ShadowRule(share=0.02, after_s=0.0, rest=0.0)
        async with a_story(rule=rule, draw=lambda: next(numbers)) as one:
            for _ in range(4):
                one.shadow.offer(BRIGHT, EXPERT)
                await asyncio.sleep(0.005)
            await until(lambda: bool(one.told))
            assert (one.told, len(one.poster.asked)) == ([Verdict.AGREE], 1)

    asyncio.run(story())


def test_one_picture_at_a_time() -> None:
    async def story() -> None:
        async with a_story(held=True) as one:
            one.shadow.offer(BRIGHT, EXPERT)
            await until(lambda: bool(one.poster.asked))
            one.shadow.offer(BRIGHT, EXPERT)
            assert one.told == [None]
            one.poster.hold.set()
            await until(lambda: len(one.told) == 2)
            assert (one.told, len(one.poster.asked)) == ([None, Verdict.AGREE], 1)

    asyncio.run(story())


def test_where_no_free_moment_comes_it_is_asked_all_the_same() -> None:
    looks: list[None] = []

    def is_free() -> bool:
        looks.append(None)
        return False

    async def story() -> None:
        rule = ShadowRule(share=1.0, after_s=0.001, rest=0.0, patience_s=0.05)
        async with a_story(rule=rule, is_free=is_free) as one:
            assert await one.asked_about() is Verdict.AGREE
            assert len(looks) > 1

    asyncio.run(story())


def test_a_zero_shot_that_is_not_well_is_not_asked() -> None:
    async def story() -> None:
        async with a_story(is_well=lambda: False) as one:
            assert await one.asked_about() is None
            assert one.poster.asked == []

    asyncio.run(story())


def test_a_picture_waits_for_a_free_moment() -> None:
    looks = iter([False, False, True])

    async def story() -> None:
        rule = ShadowRule(share=1.0, after_s=0.001, rest=0.0)
        async with a_story(rule=rule, is_free=lambda: next(looks)) as one:
            assert await one.asked_about() is Verdict.AGREE
            assert list(looks) == []

    asyncio.run(story())


def test_after_a_question_zero_shot_has_its_rest() -> None:
    async def story() -> None:
        async with a_story(rule=ShadowRule(share=1.0, after_s=0.0, rest=1e9)) as one:
            assert [await one.asked_about() for _ in range(3)] == [Verdict.AGREE, None, None]

    asyncio.run(story())


def test_closing_gives_up_what_is_asked() -> None:
    async def story() -> None:
        async with a_story(held=True) as one:
            one.shadow.offer(BRIGHT, EXPERT)
            await until(lambda: bool(one.poster.asked))
        assert one.told == []

    asyncio.run(asyncio.wait_for(story(), 10))


GENUS = named("Oreochromis", "Oreochromis", rank=Rank.GENUS, confidence=0.7)
AGREEMENTS = {
    "by the scientific name": (TILAPIA, [named("St Peter's fish", "OREOCHROMIS NILOTICUS")], True),
    "by the label where there is no other": (named("Koi"), [named("koi")], True),
    "not by the label of another species": (TILAPIA, [named("Tilapia", "Coptodon zillii")], False),
    "the first of several": (TILAPIA, [named("Pike", "Esox lucius", confidence=0.7), TILAPIA], False),
    "at the expert's rank": (GENUS, [named("Pike", "Esox lucius", confidence=0.9), GENUS], True),
    "a taxon that is not known is a species": (named("Koi", rank=None), [named("koi")], True),
    "no share at that rank": (GENUS, [TILAPIA], False),
}


@pytest.mark.parametrize(("name", "masses", "is_agreed"), AGREEMENTS.values(), ids=AGREEMENTS)
def test_agreement(name: Candidate, masses: list[Candidate], is_agreed: bool) -> None:
    assert agree(opinion(name), opinion(*masses, source=Source.ZERO_SHOT)) is is_agreed
