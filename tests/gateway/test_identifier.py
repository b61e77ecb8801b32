"""A picture goes in, an answer or a clear error comes out, whatever the models do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fishgate.answer import Answer
from fishgate.errors import FishgateError, ImageTooLarge, InvalidOption, Overloaded, TimedOut
from fishgate.images import ImageLimits
from fishgate.options import Options
from gateway.breaker import BreakerRule
from gateway.identifier import EngineSettings, Identifier
from gateway.trace import Trace
from gateway.window import WindowRule
from tests.gateway.engine_parts import BRIGHT, DARK, ENOUGH_S, QUICK, RecordingObserver, in_s, until
from tests.gateway.torchserve_stand_in import StandIn, running

PLAIN = Options()


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running(species_lists=["lake"]) as stand_in:
        yield stand_in


@asynccontextmanager
async def identifier_for(
    server: StandIn, observer: RecordingObserver | None = None, **settings: Any
) -> AsyncIterator[Identifier]:
    quick = {"expert": QUICK, "zero_shot": QUICK, **settings}
    identifier = Identifier(EngineSettings(server.url, **quick), observer)
    await identifier.start()
    try:
        yield identifier
    finally:
        await identifier.close()


async def ask(identifier: Identifier, picture: bytes, options: Options = PLAIN, *, limit_s: float = ENOUGH_S) -> Answer:
    return await identifier.identify(picture, options, deadline_s=in_s(limit_s), request_id="one")


WAYS = {
    "a bright picture": (BRIGHT, Options(), "expert", "Tilapia"),
    "a dark one": (DARK, Options(), "zero_shot", "Pike"),
    "a threshold above the expert": (BRIGHT, Options(threshold=1.0), "zero_shot", "Pike"),
    "a threshold below it": (DARK, Options(threshold=0.1), "expert", "Gold Fish"),
    "labels without the expert's": (BRIGHT, Options(labels=("Pike",)), "zero_shot", "Pike"),
    "labels with it": (BRIGHT, Options(labels=("Pike", "tilapia")), "expert", "Tilapia"),
}


@pytest.mark.parametrize(("picture", "options", "source", "label"), WAYS.values(), ids=WAYS)
def test_the_cascade_decides(server: StandIn, picture: bytes, options: Options, source: str, label: str) -> None:
    async def story() -> None:
        async with identifier_for(server) as identifier:
            answer = await ask(identifier, picture, options)
            assert (answer.source.value, answer.label, answer.degraded) == (source, label, False)

    asyncio.run(story())


def test_options_and_whose_it_is_travel_to_both_models(server: StandIn) -> None:
    async def story() -> None:
        async with identifier_for(server) as identifier:
            trace = Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            answer = await identifier.identify(
                DARK, Options(top_k=2), deadline_s=in_s(ENOUGH_S), request_id="mine", trace=trace
            )
            assert len(answer.candidates) == 2

    asyncio.run(story())
    assert (server.expert.packets, server.zero_shot.packets) == ([["mine"]], [["mine"]])


REFUSED = {
    "nothing": (b"", Options(), "empty_image"),
    "text": (b"no picture", Options(), "unsupported_image"),
    "a damaged header": (BRIGHT[:20], Options(), "damaged_image"),
    "too many bytes": (BRIGHT + bytes(10_000), Options(), "image_too_large"),
    "an unknown list": (BRIGHT, Options(species_list="sea"), "invalid_option"),
}


@pytest.mark.parametrize(("picture", "options", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_refused_before_a_model_is_asked(
    server: StandIn, picture: bytes, options: Options, code: str
) -> None:
    async def story() -> None:
        async with identifier_for(server, picture_limits=ImageLimits(max_bytes=9_000)) as identifier:
            with pytest.raises(FishgateError) as caught:
                await ask(identifier, picture, options)
            assert caught.value.code == code

    asyncio.run(story())
    assert server.expert.packets == []


def test_a_large_picture_is_checked_in_a_thread(server: StandIn) -> None:
    async def story() -> None:
        async with identifier_for(server) as identifier:
            assert (await ask(identifier, BRIGHT + bytes(100_000))).label == "Tilapia"
            with pytest.raises(ImageTooLarge):
                await ask(identifier, BRIGHT + bytes(25_000_000))

    asyncio.run(story())


@pytest.mark.parametrize(
    ("member", "source"), [("Tilapia,Oreochromis niloticus", "expert"), ("Pike,Esox lucius", "zero_shot")]
)
def test_a_species_list_decides_who_may_answer(server: StandIn, tmp_path: Path, member: str, source: str) -> None:
    (tmp_path / "lake.csv").write_text(f"label,scientific_name\n{member}\n")

    async def story() -> None:
        async with identifier_for(server, species_lists=tmp_path) as identifier:
            answer = await ask(identifier, BRIGHT, Options(species_list="lake"))
            assert answer.source.value == source
            with pytest.raises(InvalidOption, match="unknown species_list 'sea'; allowed: lake"):
                await ask(identifier, BRIGHT, Options(species_list="sea"))

    asyncio.run(story())


def test_the_same_picture_is_answered_from_memory(server: StandIn) -> None:
    observer = RecordingObserver()

    async def story() -> None:
        async with identifier_for(server, observer) as identifier:
            first, second = await ask(identifier, DARK), await ask(identifier, DARK)
            assert first == second
            assert await ask(identifier, DARK, Options(top_k=1)) != first

    asyncio.run(story())
    assert observer.hits == [False, True, False]
    assert len(server.expert.packets) == 2


def test_a_new_version_is_noticed_though_all_answers_are_remembered(server: StandIn) -> None:
    async def story() -> None:
        async with identifier_for(server, cards_every_s=0.01) as identifier:
            assert (await ask(identifier, BRIGHT)).models.expert == "1"
            server.expert.version = "2"
            answers = [await ask(identifier, BRIGHT)]
            while answers[-1].models.expert == "1":
                await asyncio.sleep(0.01)
                answers.append(await ask(identifier, BRIGHT))
            assert (await identifier.catalogue()).expert.version == "2"

    asyncio.run(asyncio.wait_for(story(), ENOUGH_S))


def test_without_memory_the_models_are_asked_each_time(server: StandIn) -> None:
    observer = RecordingObserver()

    async def story() -> None:
        async with identifier_for(server, observer, cache_bytes=0) as identifier:
            await ask(identifier, BRIGHT)
            await ask(identifier, BRIGHT)

    asyncio.run(story())
    assert (observer.hits, len(server.expert.packets)) == ([], 2)


def test_when_zero_shot_is_late_the_expert_stands_in(server: StandIn) -> None:
    async def story() -> None:
        server.zero_shot.hold.clear()
        async with identifier_for(server, zero_shot_limit_s=1.5) as identifier:
            answer = await ask(identifier, DARK)
            assert (answer.degraded, answer.source.value, answer.label) == (True, "expert", "Gold Fish")
            server.zero_shot.hold.set()
            assert not (await ask(identifier, DARK)).degraded  # it was not remembered

    asyncio.run(story())


def test_before_its_deadline_an_answer_goes_out_without_zero_shot(server: StandIn) -> None:
    async def story() -> None:
        server.zero_shot.hold.clear()
        async with identifier_for(server) as identifier:
            assert (await ask(identifier, DARK, limit_s=3.0)).degraded
            server.zero_shot.hold.set()

    asyncio.run(story())


def test_an_expert_that_is_late_is_a_time_out(server: StandIn) -> None:
    async def story() -> None:
        server.expert.hold.clear()
        async with identifier_for(server) as identifier:
            with pytest.raises(TimedOut, match="expert did not answer within the time limit"):
                await ask(identifier, BRIGHT, limit_s=0.05)
            server.expert.hold.set()

    asyncio.run(story())


def test_a_zero_shot_that_fails_again_and_again_is_left_in_peace(server: StandIn) -> None:
    observer = RecordingObserver()
    server.zero_shot.fail_next = 10**6

    async def story() -> None:
        rule = BreakerRule(failures=2, rest_s=0.2)
        async with identifier_for(server, observer, zero_shot_limit_s=0.3, breaker=rule) as identifier:
            assert [(await ask(identifier, DARK)).degraded for _ in range(2)] == [True, True]
            asked = len(server.zero_shot.packets)
            assert (await ask(identifier, DARK)).degraded
            assert len(server.zero_shot.packets) == asked
            server.zero_shot.fail_next = 0
            while (await ask(identifier, DARK)).degraded:
                await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(story(), ENOUGH_S))
    assert observer.states == ["open", "half_open", "closed"]


def test_clients_in_a_hurry_do_not_open_the_breaker(server: StandIn) -> None:
    observer = RecordingObserver()

    async def story() -> None:
        server.zero_shot.hold.clear()
        async with identifier_for(server, observer, breaker=BreakerRule(failures=1)) as identifier:
            assert (await ask(identifier, DARK, limit_s=2.0)).degraded
            hung_up = asyncio.create_task(ask(identifier, DARK))
            await until(lambda: len(server.expert.packets) == 2)
            hung_up.cancel()
            await asyncio.gather(hung_up, return_exceptions=True)
            server.zero_shot.hold.set()
            assert not (await ask(identifier, DARK)).degraded

    asyncio.run(story())
    assert observer.states == []


def test_a_full_queue_for_zero_shot_lets_the_expert_stand_in(server: StandIn) -> None:
    async def story() -> None:
        server.zero_shot.hold.clear()
        small = replace(QUICK, waiting=1, window=WindowRule(least=1, most=1))
        async with identifier_for(server, zero_shot=small, breaker=BreakerRule(failures=1)) as identifier:
            await identifier.catalogue()
            identifier._gatherers["zero_shot"].window.pass_pictures = 1
            first = asyncio.create_task(ask(identifier, DARK))
            await until(lambda: len(server.zero_shot.packets) == 1)
            second = asyncio.create_task(ask(identifier, DARK))
            await until(lambda: len(server.expert.packets) == 2)
            third = await ask(identifier, DARK)
            server.zero_shot.hold.set()
            assert [one.degraded for one in [await first, await second, third]] == [False, False, True]

    asyncio.run(story())


def test_packets_are_as_large_as_the_passes_that_workers_tell_of(server: StandIn) -> None:
    server.expert.pictures_at_once, server.zero_shot.pictures_at_once = 5, 3

    async def story() -> None:
        async with identifier_for(server) as identifier:
            await identifier.catalogue()
            sizes = {name: one.window.packet_pictures for name, one in identifier._gatherers.items()}
            assert sizes == {"expert": 5, "zero_shot": 3}

    asyncio.run(story())


def test_a_probe_goes_through_both_models(server: StandIn) -> None:
    async def story() -> None:
        async with identifier_for(server, probe_limit_s=1.5) as identifier:
            await identifier.probe()
            assert (server.expert.packets, server.zero_shot.packets) == ([["probe"]], [["probe"]])
            server.zero_shot.is_away = True
            await identifier.probe(only_expert=True)
            with pytest.raises(Overloaded, match="zero_shot"):
                await identifier.probe()

    asyncio.run(story())


def test_what_was_done_is_observed(server: StandIn) -> None:
    observer = RecordingObserver()

    async def story() -> None:
        async with identifier_for(server, observer) as identifier:
            await ask(identifier, DARK)

    asyncio.run(story())
    assert set(observer.stages) == {"check", "expert_queue", "expert", "zero_shot_queue", "zero_shot"}


def test_nothing_is_lost_when_the_server_goes_and_comes_under_load(tmp_path: Path) -> None:
    with running(token="first") as server:
        key_file = server.write_key_file(tmp_path / "key_file.json")

        async def story() -> list[Answer]:
            async with identifier_for(server, key_file=key_file, cache_bytes=0) as identifier:
                tasks = [asyncio.create_task(ask(identifier, BRIGHT if n % 3 else DARK)) for n in range(200)]
                await until(lambda: len(server.expert.packets) >= 2)
                await asyncio.to_thread(server.vanish)
                key_file.unlink()
                server.token = "second"
                await asyncio.to_thread(server.listen)
                server.write_key_file(key_file)
                return list(await asyncio.gather(*tasks))

        answers = asyncio.run(story())
    assert (len(answers), {answer.degraded for answer in answers}) == (200, {False})
