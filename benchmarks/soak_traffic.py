"""The traffic of a soak: good, bad, slow and aborted requests at a steady rate, whatever the server does.

Owns what is sent when, and what became of each request. An open loop: a duration counts from when the request was due.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import aiohttp

from benchmarks.distinct import numbered
from benchmarks.doors import IDENTIFY
from benchmarks.load import send_one, session_for
from benchmarks.pictures import bad_requests, bright_picture, dark_picture
from benchmarks.soak_raw import HANG_UPS, post_slowly, stop_halfway

SLOW_S = 2.0
"""How long a slow client takes to send its picture."""

STOPPED_CODE = "request_timeout"
"""What a client is told that stops halfway."""

_LIMIT_S = 120.0


class Kind(str, Enum):
    """What a client sends, and how."""

    BRIGHT = "bright"  # the expert is sure of it
    DARK = "dark"  # it goes on to zero-shot
    SLOW = "slow"  # a bright one that takes its time
    BAD = "bad"
    STOPPED = "stopped"  # half a picture, and then nothing
    ABORTED = "aborted"


ANSWERED = (Kind.BRIGHT, Kind.DARK, Kind.SLOW)
"""The kinds that must get an answer."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One request: times in seconds from the start of the run; ``failure`` is why it got no answer, ``code`` the
    code word with which it had to fail."""

    kind: Kind
    started_s: float
    seconds: float
    failure: str | None = None
    code: str | None = None
    is_degraded: bool = False

    @property
    def ended_s(self) -> float:
        """When it was over."""
        return self.started_s + self.seconds


class Traffic:
    """``shares`` are the parts of the kinds; ``port`` tells where the gateway is at this moment."""

    def __init__(self, shares: Mapping[Kind, float], *, port: Callable[[], int], seed: int = 1) -> None:
        self.passages: list[Passage] = []
        self._shares = shares
        self._port = port
        self._random = random.Random(seed)
        self._bright, self._dark = bright_picture(), dark_picture()
        self._bad = bad_requests()

    async def send(self, *, per_second: float, seconds: float, started_s: float) -> None:
        """Send for so long (``started_s`` is a perf_counter) and wait until the last request is over."""
        tasks: set[asyncio.Task[None]] = set()
        due_s, number = self._random.expovariate(per_second), 0
        async with session_for("", limit_s=_LIMIT_S) as session:
            while due_s < seconds:
                await asyncio.sleep(max(0.0, started_s + due_s - time.perf_counter()))
                task = asyncio.create_task(self._one(session, number, due_s, started_s))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                due_s, number = due_s + self._random.expovariate(per_second), number + 1
            await asyncio.gather(*tasks)

    async def _one(self, session: aiohttp.ClientSession, number: int, due_s: float, started_s: float) -> None:
        (kind,) = self._random.choices(list(self._shares), list(self._shares.values()))
        if kind in (Kind.BRIGHT, Kind.DARK, Kind.BAD):
            self.passages.append(await self._politely(session, kind, number, due_s, started_s))
            return
        failure = await self._rudely(kind, numbered(self._bright, number), number)
        code = STOPPED_CODE if kind is Kind.STOPPED else None
        self.passages.append(Passage(kind, due_s, time.perf_counter() - started_s - due_s, failure, code))

    async def _politely(
        self, session: aiohttp.ClientSession, kind: Kind, number: int, due_s: float, started_s: float
    ) -> Passage:
        bad = self._bad[number % len(self._bad)]
        body = bad.body if kind is Kind.BAD else numbered(self._dark if kind is Kind.DARK else self._bright, number)
        url = f"http://127.0.0.1:{self._port()}{IDENTIFY}"
        sample = await send_one(session, url, number, body, run_started_s=started_s, due_s=started_s + due_s)
        code = bad.code if kind is Kind.BAD else None
        return Passage(kind, due_s, sample.seconds, sample.failure, code, sample.is_flagged("degraded"))

    async def _rudely(self, kind: Kind, picture: bytes, number: int) -> str | None:
        try:
            if kind is Kind.SLOW:
                return await post_slowly(self._port(), picture, seconds=SLOW_S)
            if kind is Kind.STOPPED:
                return await stop_halfway(self._port(), picture)
            await HANG_UPS[number % len(HANG_UPS)](self._port(), picture)
        except (OSError, asyncio.TimeoutError) as error:
            return type(error).__name__
        return None
