"""Zero-shot behind its circuit breaker.

Owns what counts as a failure of zero-shot, and how long it may take. Whatever is raised here makes the
expert's answer stand in.
"""

from __future__ import annotations

import asyncio
import time

from fishgate.answer import Opinion
from fishgate.errors import FishgateError, Overloaded, ServiceError, TimedOut
from fishgate.packet import PackedPicture
from gateway.breaker import Breaker
from gateway.gathering import Gatherer, WaitingRoomFull

RESERVE_S = 0.25
"""What is kept of a request's time, so that the expert's answer gets out when zero-shot is late."""


class GuardedZeroShot:
    """Asks zero-shot, unless it failed too often of late. ``limit_s`` is the most that it may take."""

    def __init__(self, gatherer: Gatherer, breaker: Breaker, *, limit_s: float) -> None:
        self._gatherer = gatherer
        self._breaker = breaker
        self._limit_s = limit_s

    def time_left_s(self, deadline_s: float) -> float:
        """Return how long zero-shot may take for a request with this deadline (``time.monotonic()``)."""
        return max(0.0, min(self._limit_s, deadline_s - RESERVE_S - time.monotonic()))

    async def ask(self, packed: PackedPicture, *, limit_s: float) -> Opinion:
        """Return zero-shot's opinion; raise FishgateError if it cannot be had within ``limit_s`` seconds."""
        if limit_s <= 0.0:
            raise TimedOut("the expert left no time for zero-shot")
        if not self._breaker.admits():
            raise Overloaded("zero-shot failed several times in a row and is left in peace for a while")
        try:
            opinion = await self._gatherer.ask(packed, deadline_s=time.monotonic() + limit_s)
        except (FishgateError, asyncio.CancelledError) as error:
            self._judge(error, had_full_time=limit_s >= self._limit_s)
            raise
        self._breaker.succeeded()
        return opinion

    def _judge(self, error: BaseException, *, had_full_time: bool) -> None:
        # Our own full queue is no fault of zero-shot; nor is a client in a hurry, or one that hung up.
        is_no_fault = isinstance(error, WaitingRoomFull | asyncio.CancelledError)
        if is_no_fault or (isinstance(error, TimedOut) and not had_full_time):
            self._breaker.gave_up()
        elif isinstance(error, ServiceError):
            self._breaker.failed()
        else:
            self._breaker.succeeded()  # it answered: the picture is bad
