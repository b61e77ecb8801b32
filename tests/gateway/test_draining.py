"""Draining: nothing new, and what was begun is finished."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.draining import Draining
from gateway.errors import ShuttingDown


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def test_what_is_in_flight_is_waited_for() -> None:
    async def work() -> None:
        draining = Draining()
        with draining.request():
            assert draining.in_flight == 1
            draining.begin()
            waiting = asyncio.create_task(draining.finished(30.0))
            await asyncio.sleep(0)
            assert not waiting.done()
        assert await waiting
        assert draining.in_flight == 0

    run(work())


def test_nothing_new_is_taken_on() -> None:
    async def work() -> None:
        draining = Draining()
        draining.begin()
        with pytest.raises(ShuttingDown, match="shutting down"), draining.request():
            pass
        assert await draining.finished(30.0)

    run(work())


def test_what_is_announced_is_not_begun() -> None:
    async def work() -> None:
        draining = Draining()
        draining.announce()
        with draining.request():
            assert (draining.is_announced, draining.has_begun, draining.in_flight) == (True, False, 1)
        draining.begin()
        assert draining.has_begun

    run(work())


def test_the_wait_has_an_end() -> None:
    async def work() -> None:
        draining = Draining()
        with draining.request():
            draining.begin()
            assert not await draining.finished(0.01)

    run(work())


def test_a_request_that_fails_is_over() -> None:
    async def work() -> None:
        draining = Draining()
        with pytest.raises(ZeroDivisionError), draining.request():
            raise ZeroDivisionError
        assert await draining.finished(30.0)

    run(work())
