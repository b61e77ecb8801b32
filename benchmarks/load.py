"""A client that sends many requests at once and writes down what became of each.

Closed loop: ``clients`` requests are always under way. Owns the sending; what is sent and what
the figures mean is each benchmark's own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np


@dataclass(frozen=True)
class Sample:
    """One request: how long it took (seconds), and what came: an answer, or why none did."""

    index: int
    seconds: float
    answer: dict[str, Any] | None
    failure: str | None


@dataclass
class Run:
    """All samples of one run."""

    samples: list[Sample] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Requests a second, answered or not."""
        return len(self.samples) / self.seconds

    @property
    def lost(self) -> list[Sample]:
        """The requests that got no answer."""
        return [sample for sample in self.samples if sample.answer is None]

    def percentiles_ms(self, *which: float, only: Callable[[Sample], bool] = lambda sample: True) -> list[float]:
        """Return percentiles of the duration in milliseconds, of the samples that ``only`` picks."""
        chosen = [sample.seconds * 1000 for sample in self.samples if only(sample)]
        return [float(value) for value in np.percentile(chosen, which)]


async def send_many(
    url: str, token: str, *, count: int, clients: int, picture_for: Callable[[int], bytes],
    limit_s: float = 120.0, on_progress: Callable[[int], None] = lambda done: None,
) -> Run:
    """Post ``count`` pictures with ``clients`` of them under way; return every sample."""
    run = Run()
    indices = iter(range(count))
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=limit_s)
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:

        async def client() -> None:
            for index in indices:
                run.samples.append(await _send(session, url, index, picture_for(index)))
                on_progress(len(run.samples))

        started_s = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        run.seconds = time.perf_counter() - started_s
    return run


async def _send(session: aiohttp.ClientSession, url: str, index: int, picture: bytes) -> Sample:
    started_s = time.perf_counter()
    answer, failure = None, None
    try:
        async with session.post(url, data=picture) as response:
            value = await response.json(content_type=None)
            if response.status == 200 and "label" in value:
                answer = value
            else:
                failure = str(value)[:200]
    except (aiohttp.ClientError, asyncio.TimeoutError, ValueError) as error:
        failure = type(error).__name__
    return Sample(index, time.perf_counter() - started_s, answer, failure)
