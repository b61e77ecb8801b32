"""What the tests of the engine share: drawn pictures, deadlines, and an observer that remembers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image

from fishgate.packet import PackedPicture
from gateway.backend import Backend
from gateway.gathering import Gatherer, GatherLimits
from gateway.pause import PauseRule
from gateway.suspicion import SuspicionRule
from tests.conftest import encoded
from tests.gateway.torchserve_stand_in import POISON, StandIn

BRIGHT = encoded(Image.new("RGB", (32, 32), "white"), "PNG")
DARK = encoded(Image.new("RGB", (32, 32), "black"), "PNG")
DEADLY = BRIGHT + POISON  # behind the end of the picture, where no decoder looks

QUICK = GatherLimits(pause=PauseRule(first_s=0.01, longest_s=0.05), suspicion=SuspicionRule(pause_s=0.001))
"""The limits as they are, with short pauses."""

ENOUGH_S = 30.0


def in_s(seconds: float) -> float:
    """A time so many seconds from now."""
    return time.monotonic() + seconds


def packed(name: str = "one", picture: bytes = BRIGHT, **fields: str) -> PackedPicture:
    """A picture whose request id is ``name``."""
    return PackedPicture(picture, fields, request_id=name)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread or task."""
    deadline_s = in_s(ENOUGH_S)
    while not is_so():
        assert time.monotonic() < deadline_s, "it never came"
        await asyncio.sleep(0.001)


class RecordingObserver:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.stages: Counter[str] = Counter()
        self.packets: list[tuple[str, int]] = []
        self.hits: list[bool] = []
        self.states: list[str] = []
        self.retries: Counter[str] = Counter()
        self.most_in_flight: Counter[str] = Counter()
        self.last_waiting: dict[str, int] = {}

    def stage(self, name: str, seconds: float) -> None:
        assert seconds >= 0.0
        self.stages[name] += 1

    def packet(self, model: str, pictures: int) -> None:
        self.packets.append((model, pictures))

    def cache(self, hit: bool) -> None:
        self.hits.append(hit)

    def breaker(self, state: str) -> None:
        self.states.append(state)

    def waiting(self, model: str, count: int) -> None:
        self.last_waiting[model] = count

    def in_flight(self, model: str, count: int) -> None:
        self.most_in_flight[model] = max(self.most_in_flight[model], count)

    def retried(self, model: str) -> None:
        self.retries[model] += 1


@asynccontextmanager
async def gatherer_for(
    server: StandIn,
    limits: GatherLimits = QUICK,
    *,
    model: str = "expert",
    key_file: Path | None = None,
    observer: RecordingObserver | None = None,
) -> AsyncIterator[Gatherer]:
    """A gatherer before the stand-in, closed at the end."""
    backend = Backend(server.url, key_file)
    gatherer = Gatherer(backend, model, limits, observer=observer)
    try:
        yield gatherer
    finally:
        await gatherer.close()
        await backend.close()
