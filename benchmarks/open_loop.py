"""A client that sends each request at its own time, whether or not earlier ones are answered.

A closed loop sends less when the server is slow, and so hides its own waiting; here the offered
load is the same whatever the server does, and a duration counts from when the request was due.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.load import Body, Run, Sample, send_one, session_for

ARRIVALS = ("poisson", "even")


@dataclass(frozen=True)
class Arrival:
    """A request and when it is due, in seconds from the start of the run."""

    due_s: float
    body: Body


def arrival_times(per_second: float, seconds: float, *, kind: str, seed: int) -> list[float]:
    """Return when requests are due, in order: at random (Poisson) or evenly spaced."""
    if kind not in ARRIVALS:
        raise ValueError(f"arrivals are one of {', '.join(ARRIVALS)}, got {kind!r}")
    if per_second <= 0:
        return []
    expected = round(per_second * seconds)
    if kind == "even":
        return [index / per_second for index in range(expected)]
    # Given their number, the arrivals of a Poisson process are uniform: each round offers the same load.
    return sorted(float(due_s) for due_s in np.random.default_rng(seed).uniform(0.0, seconds, expected))


def merged(*streams: Sequence[Arrival]) -> list[Arrival]:
    """Return all arrivals in the order in which they are due."""
    return sorted((arrival for stream in streams for arrival in stream), key=lambda arrival: arrival.due_s)


async def send_on_schedule(
    url: str, token: str, arrivals: Sequence[Arrival], *, limit_s: float = 120.0
) -> tuple[Run, float]:
    """Post each request when it is due; return every sample, and by how many seconds we were late at worst."""
    run, latest_s = Run(), 0.0
    tasks: list[asyncio.Task[Sample]] = []
    async with session_for(token, limit_s=limit_s) as session:
        started_s = time.perf_counter()
        for index, arrival in enumerate(arrivals):
            due_s = started_s + arrival.due_s
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            latest_s = max(latest_s, time.perf_counter() - due_s)
            sending = send_one(session, url, index, arrival.body, run_started_s=started_s, due_s=due_s)
            tasks.append(asyncio.create_task(sending))
        run.samples = list(await asyncio.gather(*tasks))
        run.seconds = time.perf_counter() - started_s
    return run, latest_s
