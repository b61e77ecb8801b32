"""A client that hangs up frees its place, and nobody works for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.http.hanging_up import HungUp, NoticingHangUp
from tests.gateway.conftest import OpenDoor, drawn
from tests.gateway.http_door import Door
from tests.gateway.sockets import connected, head

PICTURE = drawn(3, 3)
REQUEST = head("/v1/identify", f"Content-Length: {len(PICTURE)}") + PICTURE


def is_free(door: Door) -> bool:
    places = door.entrance.places
    return places.taken == places.waiting == places.bytes_held == door.entrance.draining.in_flight == 0


def test_whoever_hangs_up_while_the_models_work_is_worked_for_no_more(opened: OpenDoor) -> None:
    door = opened()
    door.hold()
    with connected(door) as one:
        one.sendall(REQUEST)
        door.asked()
    door.until(lambda: is_free(door))
    assert door.engine.cancelled == 1


def test_whoever_hangs_up_while_waiting_leaves_the_queue(opened: OpenDoor) -> None:
    door = opened(pictures_at_once=1)
    door.hold()
    with connected(door) as first:
        first.sendall(REQUEST)
        door.asked()
        with connected(door) as second:
            second.sendall(REQUEST)
            door.until(lambda: door.entrance.places.waiting == 1)
        door.until(lambda: door.entrance.places.waiting == 0)
        assert door.engine.cancelled == 0
    door.until(lambda: is_free(door))
    assert len(door.engine.calls) == 1


def test_whoever_hangs_up_amid_the_picture_leaves_nothing_behind(opened: OpenDoor) -> None:
    door = opened()
    with connected(door) as one:
        one.sendall(head("/v1/identify", "Content-Length: 90000") + b"x" * 50_000)
        door.until(lambda: door.entrance.places.bytes_held > 0)
    door.until(lambda: is_free(door))
    assert door.engine.calls == []


def test_a_reset_is_a_hang_up_too(opened: OpenDoor) -> None:
    import socket
    import struct

    door = opened()
    door.hold()
    one = connected(door)
    one.sendall(REQUEST)
    door.asked()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
    door.until(lambda: is_free(door))
    assert door.engine.cancelled == 1


def messages(*kinds: str) -> Callable[[], Awaitable[dict[str, str]]]:
    """A connection on which these messages come, and then nothing any more."""
    queue = list(kinds)

    async def receive() -> dict[str, str]:
        if not queue:
            await asyncio.Event().wait()
        return {"type": queue.pop(0)}

    return receive


def test_the_block_is_cancelled_and_tells_why() -> None:
    async def work() -> None:
        with pytest.raises(HungUp):
            async with NoticingHangUp(messages("http.request", "http.disconnect")):
                await asyncio.Event().wait()
        await asyncio.sleep(0)  # nothing of the cancellation is left

    asyncio.run(work())


def test_a_block_that_ends_in_time_is_not_disturbed() -> None:
    async def work() -> str:
        async with NoticingHangUp(messages()):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "done"

    assert asyncio.run(work()) == "done"


def test_an_error_of_the_block_passes() -> None:
    async def work() -> None:
        async with NoticingHangUp(messages()):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(work())


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    async def work() -> None:
        async with NoticingHangUp(messages()):
            await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
