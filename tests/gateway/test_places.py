"""Places: bounded work, a bounded queue, bounded memory; nothing is lost or kept when somebody goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from fishgate.errors import TimedOut
from gateway.errors import Busy
from gateway.places import LONGEST_RETRY_S, Pace, Places


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def far() -> float:
    return time.monotonic() + 60


class Worker:
    """Takes a place and keeps it until it is told to go on."""

    def __init__(self, places: Places, deadline_s: float | None = None) -> None:
        self.may_go = asyncio.Event()
        self.is_working = False
        self.task = asyncio.create_task(self._work(places, deadline_s or far()))

    async def _work(self, places: Places, deadline_s: float) -> None:
        async with places.place(deadline_s):
            self.is_working = True
            await self.may_go.wait()


async def turns() -> None:
    """Let all tasks go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def places(*, at_once: int = 2, waiting: int = 2, size: int = 1_000) -> Places:
    return Places(at_once=at_once, waiting=waiting, bytes_at_once=size)


def test_so_many_work_and_the_others_wait_in_order() -> None:
    async def work() -> None:
        here = places()
        workers = [Worker(here) for _ in range(4)]
        await turns()
        assert [worker.is_working for worker in workers] == [True, True, False, False]
        assert (here.taken, here.waiting) == (2, 2)
        workers[1].may_go.set()
        await turns()
        assert [worker.is_working for worker in workers] == [True, True, True, False]
        for worker in workers:
            worker.may_go.set()
        await asyncio.gather(*(worker.task for worker in workers))
        assert (here.taken, here.waiting) == (0, 0)

    run(work())


def test_beyond_the_queue_everybody_is_sent_away() -> None:
    async def work() -> None:
        here = places()
        workers = [Worker(here) for _ in range(4)]
        await turns()
        assert here.is_full
        with pytest.raises(Busy, match="2 pictures are in work and 2 wait"):
            async with here.place(far()):
                pass
        with pytest.raises(Busy):
            here.check()
        for worker in workers:
            worker.may_go.set()
        await asyncio.gather(*(worker.task for worker in workers))
        here.check()

    run(work())


def test_who_waits_too_long_leaves_the_queue() -> None:
    async def work() -> None:
        here = places(at_once=1)
        first = Worker(here)
        await turns()
        with pytest.raises(TimedOut, match="no place became free"):
            async with here.place(time.monotonic() + 0.01):
                pass
        assert here.waiting == 0
        first.may_go.set()
        await first.task
        assert here.taken == 0

    run(work())


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_who_is_cancelled_frees_what_it_had(gone: int) -> None:
    """The first works, the others wait: whoever goes, those left come to their turn."""

    async def work() -> None:
        here = places(at_once=1)
        workers = [Worker(here) for _ in range(3)]
        await turns()
        workers[gone].task.cancel()
        await turns()
        for worker in workers:
            worker.may_go.set()
        await asyncio.gather(*(worker.task for worker in workers), return_exceptions=True)
        assert [worker.is_working for worker in workers] == [True if i == 0 else i != gone for i in range(3)]
        assert (here.taken, here.waiting) == (0, 0)

    run(work())


def test_a_place_that_comes_together_with_a_cancellation_goes_to_the_next() -> None:
    async def work() -> None:
        here = places(at_once=1)
        first, second, third = (Worker(here) for _ in range(3))
        await turns()
        first.may_go.set()
        while here.waiting == 2:
            await asyncio.sleep(0)
        second.task.cancel()  # the place is its own by now, but it has not run since
        await turns()
        assert (second.is_working, third.is_working) == (False, True)
        third.may_go.set()
        await asyncio.gather(third.task, second.task, return_exceptions=True)
        assert (here.taken, here.waiting) == (0, 0)

    run(work())


def test_an_error_in_the_work_frees_the_place() -> None:
    async def work() -> None:
        here = places(at_once=1)
        with pytest.raises(ZeroDivisionError):
            async with here.place(far()):
                raise ZeroDivisionError
        assert here.taken == 0

    run(work())


def test_memory_is_bounded_over_all_requests_and_freed_at_the_end() -> None:
    here = places(size=100)
    with here.memory() as one, here.memory() as two:
        one.add(60)
        two.add(40)
        with pytest.raises(Busy, match="take 100 bytes"):
            two.add(1)
        assert here.bytes_held == 100
        one.give_back(10)
        two.add(10)
    assert here.bytes_held == 0


def test_the_pace_tells_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace()
    assert pace.seconds_for(50) == 1.0  # nothing is known yet
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    for _ in range(100):
        now_s += 0.02
        pace.finished_one()
    assert pace.seconds_for(50) == pytest.approx(1.0)
    assert pace.seconds_for(100) == pytest.approx(2.0)


def test_nobody_is_sent_away_for_longer_than_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    here = places(at_once=1, waiting=0)
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    for _ in range(2):
        now_s += 3_600.0
        here._pace.finished_one()
    here.taken = 1
    with pytest.raises(Busy) as caught:
        here.check()
    assert caught.value.retry_after_s == LONGEST_RETRY_S
