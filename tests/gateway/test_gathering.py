"""Pictures are gathered to packets; none harms another, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fishgate.answer import Opinion
from fishgate.errors import FishgateError, InternalError, Overloaded, TimedOut, UnsupportedImage
from gateway.gathering import Gatherer, GatherLimits, WaitingRoomFull
from gateway.window import WindowRule
from tests.gateway.engine_parts import (
    BRIGHT,
    DARK,
    DEADLY,
    ENOUGH_S,
    QUICK,
    RecordingObserver,
    gatherer_for,
    in_s,
    packed,
    until,
)
from tests.gateway.torchserve_stand_in import NO_WORKER, StandIn, running

OUT_OF_MEMORY = {"code": 507, "type": "InternalServerException", "message": "Out of resources"}
PREDICTION_FAILED = {"code": 503, "type": "InternalServerException", "message": "Prediction failed"}


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running() as stand_in:
        yield stand_in


def one_by_one(*, in_flight: int = 1) -> GatherLimits:
    """Packets of one picture, and only so many at a time."""
    return replace(QUICK, pass_pictures=1, window=WindowRule(least=in_flight, most=in_flight))


def of_two() -> GatherLimits:
    """Packets of two pictures."""
    return replace(QUICK, pass_pictures=2, window=WindowRule(least=4, most=4))


def ask_all(gatherer: Gatherer, *names: str, limit_s: float = ENOUGH_S) -> list[asyncio.Task[Opinion]]:
    """Begin to ask about pictures, in this order."""
    return [asyncio.create_task(gatherer.ask(packed(name), deadline_s=in_s(limit_s))) for name in names]


async def outcomes(*tasks: Awaitable[Opinion]) -> list[Any]:
    """The label of each opinion, or the class of the error."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [one.best.label if isinstance(one, Opinion) else type(one) for one in results]


def test_one_picture_is_sent_at_once(server: StandIn) -> None:
    async def story() -> None:
        async with gatherer_for(server, replace(QUICK, gather_s=ENOUGH_S)) as gatherer:
            opinion = await gatherer.ask(packed("a", top_k="1"), deadline_s=in_s(ENOUGH_S))
        assert (opinion.best.label, len(opinion.candidates)) == ("Tilapia", 1)

    asyncio.run(story())
    assert server.expert.packets == [["a"]]


def test_pictures_that_come_together_share_a_packet(server: StandIn) -> None:
    async def story() -> None:
        async with gatherer_for(server) as gatherer:
            assert await outcomes(*ask_all(gatherer, "a", "b", "c")) == ["Tilapia"] * 3

    asyncio.run(story())
    assert server.expert.packets == [["a", "b", "c"]]


def test_while_one_is_in_flight_the_others_gather_until_a_packet_is_full(server: StandIn) -> None:
    async def story() -> None:
        server.expert.hold.clear()
        async with gatherer_for(server, replace(of_two(), gather_s=ENOUGH_S)) as gatherer:
            first = ask_all(gatherer, "a")
            await until(lambda: server.expert.sizes == [1])
            others = ask_all(gatherer, "b", "c", "d")
            await until(lambda: server.expert.sizes == [1, 2])
            server.expert.hold.set()
            assert await outcomes(*first, *others) == ["Tilapia"] * 4

    asyncio.run(story())
    assert server.expert.packets == [["a"], ["b", "c"], ["d"]]


def test_a_packet_that_does_not_fill_goes_after_a_short_while(server: StandIn) -> None:
    async def story() -> None:
        server.expert.hold.clear()
        async with gatherer_for(server) as gatherer:
            tasks = ask_all(gatherer, "a")
            await until(lambda: server.expert.sizes == [1])
            tasks += ask_all(gatherer, "b")
            await until(lambda: server.expert.sizes == [1, 1])  # though the first is still in flight
            server.expert.hold.set()
            await outcomes(*tasks)

    asyncio.run(story())


def test_only_so_many_packets_are_in_flight(server: StandIn) -> None:
    observer = RecordingObserver()

    async def story() -> None:
        limits = one_by_one(in_flight=3)
        async with gatherer_for(server, limits, observer=observer) as gatherer:
            assert await outcomes(*ask_all(gatherer, *"abcdefghij")) == ["Tilapia"] * 10

    asyncio.run(story())
    assert observer.most_in_flight["expert"] == 3
    assert sorted(server.expert.packets) == [[name] for name in "abcdefghij"]


def test_a_packet_is_bounded_in_bytes(server: StandIn) -> None:
    async def story() -> None:
        async with gatherer_for(server, replace(QUICK, packet_bytes=2 * len(BRIGHT))) as gatherer:
            await outcomes(*ask_all(gatherer, *"abc"))

    asyncio.run(story())
    assert server.expert.packets == [["a", "b"], ["c"]]


def test_a_full_waiting_room_refuses_and_says_what_is_allowed(server: StandIn) -> None:
    async def story() -> None:
        server.expert.hold.clear()
        limits = replace(one_by_one(), waiting=2)
        async with gatherer_for(server, limits) as gatherer:
            tasks = ask_all(gatherer, "in flight")
            await until(lambda: server.expert.sizes == [1])
            tasks += ask_all(gatherer, "first", "second")
            await asyncio.sleep(0)
            with pytest.raises(WaitingRoomFull, match="2 pictures are waiting for expert, allowed are 2; try again"):
                await gatherer.ask(packed("third"), deadline_s=in_s(ENOUGH_S))
            server.expert.hold.set()
            assert await outcomes(*tasks) == ["Tilapia"] * 3

    asyncio.run(story())


def test_an_error_of_one_picture_is_its_own(server: StandIn) -> None:
    async def story() -> None:
        async with gatherer_for(server) as gatherer:
            pictures = [packed("a"), packed("b", b"no picture"), packed("c", DARK), packed("d", top_k="none")]
            tasks = [gatherer.ask(one, deadline_s=in_s(ENOUGH_S)) for one in pictures]
            found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one).__name__ for one in found] == ["Opinion", "UnsupportedImage", "Opinion", "InvalidOption"]

    asyncio.run(story())
    assert server.expert.sizes == [4]


@pytest.mark.parametrize("failure", [OUT_OF_MEMORY, PREDICTION_FAILED], ids=["507", "503"])
def test_a_packet_that_failed_is_asked_again_picture_by_picture(server: StandIn, failure: dict[str, Any]) -> None:
    observer = RecordingObserver()
    server.expert.fail_next, server.expert.failure = 1, failure

    async def story() -> None:
        async with gatherer_for(server, observer=observer) as gatherer:
            assert await outcomes(*ask_all(gatherer, *"abc")) == ["Tilapia"] * 3

    asyncio.run(story())
    assert server.expert.sizes == [3, 1, 1, 1]
    assert observer.retries == {"expert": 3}


def test_a_packet_whose_connection_broke_is_asked_again(server: StandIn) -> None:
    server.expert.drop_next = 1

    async def story() -> None:
        async with gatherer_for(server) as gatherer:
            assert await outcomes(*ask_all(gatherer, *"abc")) == ["Tilapia"] * 3

    asyncio.run(story())
    assert server.expert.sizes == [3, 1, 1, 1]


def test_a_picture_that_kills_its_workers_harms_only_itself(server: StandIn) -> None:
    async def story() -> list[Any]:
        async with gatherer_for(server) as gatherer:
            tasks = ask_all(gatherer, *"abc")
            poison = asyncio.create_task(gatherer.ask(packed("poison", DEADLY), deadline_s=in_s(ENOUGH_S)))
            tasks += ask_all(gatherer, *"def")
            assert await outcomes(*tasks) == ["Tilapia"] * 6
            with pytest.raises(InternalError, match="3 times a worker ended while it looked at this picture alone"):
                await poison
            return await outcomes(*ask_all(gatherer, "after"))

    assert asyncio.run(story()) == ["Tilapia"]
    alone = [names for names in server.expert.packets if names == ["poison"]]
    assert len(alone) == 4  # once beside others, and three times with nothing else in flight


def test_nobody_is_given_up_for_the_fault_of_another(server: StandIn) -> None:
    """Everything fails for a while, whoever is in it, but never three times for a picture that is alone."""
    server.expert.fail_next = 7

    async def story() -> None:
        async with gatherer_for(server, of_two()) as gatherer:
            assert await outcomes(*ask_all(gatherer, *"abcdefgh")) == ["Tilapia"] * 8

    asyncio.run(story())


def test_a_deadline_frees_a_picture_that_waits_and_one_that_is_in_flight(server: StandIn) -> None:
    async def story() -> None:
        server.expert.hold.clear()
        async with gatherer_for(server, one_by_one()) as gatherer:
            tasks = ask_all(gatherer, "in flight", "waits", limit_s=0.05)
            assert await outcomes(*tasks) == [TimedOut, TimedOut]
            server.expert.hold.set()
            assert await outcomes(*ask_all(gatherer, "after")) == ["Tilapia"]

    asyncio.run(story())
    assert server.expert.packets == [["in flight"], ["after"]]


def test_the_deadline_travels_with_the_picture(server: StandIn) -> None:
    """The worker says that it is too late before we know it ourselves: its clock tells another time."""

    async def story() -> None:
        server.expert.hold.clear()
        async with gatherer_for(server) as gatherer:
            late, early = ask_all(gatherer, "late", limit_s=0.05)[0], ask_all(gatherer, "early")[0]
            await until(lambda: server.expert.sizes == [2])
            assert await outcomes(late) == [TimedOut]
            server.expert.hold.set()
            assert await outcomes(early) == ["Tilapia"]

    asyncio.run(story())


def test_whoever_hangs_up_leaves_the_queue(server: StandIn) -> None:
    observer = RecordingObserver()

    async def story() -> None:
        server.expert.hold.clear()
        limits = one_by_one()
        async with gatherer_for(server, limits, observer=observer) as gatherer:
            in_flight, waits, stays = ask_all(gatherer, "in flight", "waits", "stays")
            await until(lambda: server.expert.sizes == [1])
            in_flight.cancel()
            waits.cancel()
            server.expert.hold.set()
            assert await outcomes(stays) == ["Tilapia"]

    asyncio.run(story())
    assert server.expert.packets == [["in flight"], ["stays"]]
    assert observer.last_waiting["expert"] == 0


AWAY: dict[str, Callable[[StandIn], None]] = {
    "no model": lambda server: setattr(server.expert, "is_away", True),
    "no worker": lambda server: (setattr(server.expert, "fail_next", 10**6), server.expert.failure.update(NO_WORKER))[
        0
    ],
    "no server": lambda server: server.vanish(),
}
BACK: dict[str, Callable[[StandIn], None]] = {
    "no model": lambda server: setattr(server.expert, "is_away", False),
    "no worker": lambda server: setattr(server.expert, "fail_next", 0),
    "no server": lambda server: server.listen(),
}


@pytest.mark.parametrize("how", AWAY)
def test_a_model_that_is_away_is_waited_for(server: StandIn, how: str) -> None:
    observer = RecordingObserver()

    async def story() -> None:
        await asyncio.to_thread(AWAY[how], server)
        async with gatherer_for(server, observer=observer) as gatherer:
            tasks = ask_all(gatherer, *"abc")
            await until(lambda: observer.retries["expert"] >= 6)
            await asyncio.to_thread(BACK[how], server)
            assert await outcomes(*tasks) == ["Tilapia"] * 3

    asyncio.run(story())
    assert server.expert.packets[-1] == ["a", "b", "c"]  # none is suspected


@pytest.mark.parametrize("how", AWAY)
def test_a_model_that_stays_away_is_an_overload_at_the_deadline(server: StandIn, how: str) -> None:
    async def story() -> None:
        await asyncio.to_thread(AWAY[how], server)
        async with gatherer_for(server) as gatherer:
            with pytest.raises(Overloaded, match="expert could not be had within the time limit: expert "):
                await gatherer.ask(packed(), deadline_s=in_s(1.5))

    asyncio.run(story())


def test_a_reply_that_is_none_is_an_error_of_the_server(server: StandIn) -> None:
    server.expert.raw_reply = b"[]"

    async def story() -> None:
        async with gatherer_for(server) as gatherer:
            with pytest.raises(InternalError, match="0 replies to a packet of 1 pictures"):
                await gatherer.ask(packed(), deadline_s=in_s(ENOUGH_S))

    asyncio.run(story())


def test_closing_lets_nobody_wait(server: StandIn) -> None:
    async def story() -> None:
        server.expert.hold.clear()
        async with gatherer_for(server, one_by_one()) as gatherer:
            tasks = ask_all(gatherer, "in flight", "waits")
            await until(lambda: server.expert.sizes == [1])
            await gatherer.close()
            assert await outcomes(*tasks) == [Overloaded, Overloaded]
            with pytest.raises(Overloaded, match="shutting down"):
                await gatherer.ask(packed(), deadline_s=in_s(ENOUGH_S))

    asyncio.run(story())


def test_the_stages_are_told_in_the_task_of_the_request(server: StandIn) -> None:
    observer = RecordingObserver()

    async def story() -> None:
        async with gatherer_for(server, observer=observer) as gatherer:
            await outcomes(*ask_all(gatherer, *"ab"))

    asyncio.run(story())
    assert observer.stages == {"expert_queue": 2, "expert": 2}
    assert observer.packets == [("expert", 2)]


def test_packets_fit_the_workers_passes(server: StandIn) -> None:
    async def story() -> None:
        async with gatherer_for(server) as gatherer:
            gatherer.window.pass_pictures = 2
            await outcomes(*ask_all(gatherer, *"abc"))

    asyncio.run(story())
    assert server.expert.sizes == [2, 1]


def test_a_quick_model_gets_more_and_larger_packets(server: StandIn) -> None:
    observer = RecordingObserver()

    async def story() -> None:
        limits = replace(QUICK, pass_pictures=1, window=WindowRule(least=1, most=3, target_s=ENOUGH_S))
        async with gatherer_for(server, limits, observer=observer) as gatherer:
            await outcomes(*ask_all(gatherer, *"abcdefghijkl"))

    asyncio.run(story())
    assert observer.most_in_flight["expert"] == 3
    assert server.expert.sizes[0] == 1
    assert set(server.expert.sizes[1:]) == {2, 1}


def test_an_unexpected_failure_leaves_nobody_waiting(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: object, **_words: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.delivery.write_packet", broken)

    async def story() -> None:
        async with gatherer_for(server) as gatherer:
            with pytest.raises(FishgateError, match="the operator finds the cause in the log"):
                await gatherer.ask(packed(), deadline_s=in_s(ENOUGH_S))

    asyncio.run(story())
    assert "a packet could not be delivered" in caplog.text


def test_what_a_worker_says_against_a_picture_reaches_the_client_word_for_word(server: StandIn) -> None:
    async def story() -> None:
        async with gatherer_for(server) as gatherer:
            with pytest.raises(UnsupportedImage, match="send JPEG, PNG"):
                await gatherer.ask(packed("a", b"no picture"), deadline_s=in_s(ENOUGH_S))

    asyncio.run(story())
