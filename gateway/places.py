"""How many pictures are worked on at once, how many may wait, and what all of them may take of memory.

Owns the places and the queue before them. It does not know what is done in a place.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from fishgate.errors import TimedOut
from gateway.errors import Busy

LONGEST_RETRY_S = 60.0
_MEMORY = 0.9  # of the pace, kept from one picture to the next: it follows within some ten pictures


class Places:
    """A bounded number of places with a bounded queue, first come first served.

    To be used inside one running event loop.
    """

    def __init__(self, *, at_once: int, waiting: int, bytes_at_once: int) -> None:
        self.at_once = at_once
        self.most_waiting = waiting
        self.taken = 0
        self.bytes_held = 0
        self._most_bytes = bytes_at_once
        self._queue: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._pace = Pace()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether somebody who came now would be sent away."""
        return self.taken >= self.at_once and self.waiting >= self.most_waiting

    def check(self) -> None:
        """Raise Busy if somebody who came now would be sent away."""
        if self.is_full:
            raise self._busy(f"{self.taken} pictures are in work and {self.waiting} wait; more are not taken in")

    @asynccontextmanager
    async def place(self, deadline_s: float) -> AsyncIterator[None]:
        """Hold a place while the block runs.

        Raises Busy if too many wait already, TimedOut if none becomes free before ``deadline_s``, a time of
        ``time.monotonic()``. Whoever is cancelled while waiting leaves the queue.
        """
        if self.taken < self.at_once:
            self.taken += 1
        else:
            await self._wait(deadline_s)
        try:
            yield
        finally:
            self._pace.finished_one()
            self._leave()

    @contextmanager
    def memory(self) -> Iterator[Holding]:
        """Let the block hold bytes of pictures; what it holds is free again at the end."""
        holding = Holding(self)
        try:
            yield holding
        finally:
            holding.give_back(holding.count)

    def hold(self, count: int) -> None:
        """Count ``count`` bytes more as held; raise Busy, and count none, if that is too much."""
        if self.bytes_held + count > self._most_bytes:
            raise self._busy(f"the pictures in work take {self.bytes_held:,} bytes; more are not taken in")
        self.bytes_held += count

    def release(self, count: int) -> None:
        """Count ``count`` bytes as free again."""
        self.bytes_held -= count

    async def _wait(self, deadline_s: float) -> None:
        self.check()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue[turn] = None
        try:
            # Not wait_for, which in older Pythons swallows a cancellation that comes together with the place.
            done, _ = await asyncio.wait({turn}, timeout=deadline_s - time.monotonic())
        except asyncio.CancelledError:
            self._give_up(turn)
            raise
        if not done:
            self._give_up(turn)
            raise TimedOut("no place became free within the time limit")

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if turn in self._queue:
            del self._queue[turn]
        else:  # the place came just as its taker went
            self._leave()

    def _leave(self) -> None:
        if self._queue:
            turn, _ = self._queue.popitem(last=False)
            turn.set_result(None)  # the place changes hands and stays taken
        else:
            self.taken -= 1

    def _busy(self, message: str) -> Busy:
        half = (self.taken + self.waiting) / 2  # when half of what is here is done, there is room again
        return Busy(message, retry_after_s=min(self._pace.seconds_for(half), LONGEST_RETRY_S))


class Holding:
    """The bytes that one request holds."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.count = 0

    def add(self, count: int) -> None:
        """Hold ``count`` bytes more; raises Busy if all pictures together are too large."""
        self._places.hold(count)
        self.count += count

    def give_back(self, count: int) -> None:
        """Hold ``count`` bytes less."""
        self._places.release(count)
        self.count -= count


class Pace:
    """How fast pictures were finished of late."""

    def __init__(self) -> None:
        self._apart_s: float | None = None
        self._last_s: float | None = None

    def finished_one(self) -> None:
        """Take note that a picture was finished just now."""
        now_s = time.monotonic()
        if self._last_s is not None:
            apart_s = now_s - self._last_s
            self._apart_s = apart_s if self._apart_s is None else _MEMORY * self._apart_s + (1 - _MEMORY) * apart_s
        self._last_s = now_s

    def seconds_for(self, pictures: float) -> float:
        """Estimate how long so many pictures take, in seconds; 1 where nothing is known yet."""
        return 1.0 if self._apart_s is None else pictures * self._apart_s
