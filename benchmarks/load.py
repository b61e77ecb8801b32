"""A client that sends many requests at once and writes down what became of each.

Closed loop: ``clients`` requests are always under way (the open loop is ``open_loop.py``). Owns the
sending and the record of a run; what is sent and what the figures mean is each benchmark's own.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np

Body = bytes | Mapping[str, bytes | str]
"""What a request carries: a picture as raw body, or the fields of a form."""

_KEPT = ("label", "source", "deferred", "degraded")


@dataclass(frozen=True)
class Sample:
    """One request: how long it took (seconds), and what came: an answer, or why none did.

    ``answer`` keeps the few fields that figures are made of; ``failure`` is Fishgate's own error
    code if it sent one. ``started_s`` counts from the start of the run.
    """

    index: int
    seconds: float
    answer: dict[str, Any] | None
    failure: str | None
    started_s: float = 0.0

    @property
    def ended_s(self) -> float:
        """When it ended, in seconds from the start of the run."""
        return self.started_s + self.seconds

    def is_flagged(self, name: str) -> bool:
        """Tell whether the answer says so of itself: ``deferred``, ``degraded``."""
        return bool(self.answer and self.answer.get(name))


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

    def steady_per_second(self, *, skip: int) -> float:
        """Return answers a second between the ``skip``-th answer and the ``skip``-th from the end.

        Filling and draining the queues at both ends says nothing about throughput. Answers come in
        bursts, a batch at a time: both ends of the window are the last answer of a burst if ``skip``
        is a multiple of the batch size, so that no batch is counted whose time is not.
        """
        ends_s = sorted(sample.ended_s for sample in self.samples if sample.answer is not None)
        if len(ends_s) <= 2 * skip + 1:
            raise ValueError(f"{len(ends_s)} answers are too few to leave out {skip} at each end")
        first, last = max(0, skip - 1), len(ends_s) - 1 - skip
        return (last - first) / (ends_s[last] - ends_s[first])


async def send_many(
    url: str,
    token: str,
    *,
    clients: int,
    picture_for: Callable[[int], Body],
    count: int | None = None,
    seconds: float | None = None,
    limit_s: float = 120.0,
    answer_key: str = "label",
    on_progress: Callable[[int], None] = lambda done: None,
) -> Run:
    """Post pictures with ``clients`` of them under way; return every sample.

    It begins no more requests after ``count`` of them or after ``seconds``, whichever is given.
    """
    run = Run()
    started_s = time.perf_counter()
    indices = _indices(count, None if seconds is None else started_s + seconds)
    async with session_for(token, limit_s=limit_s) as session:

        async def client() -> None:
            for index in indices:
                body = picture_for(index)
                run.samples.append(
                    await send_one(session, url, index, body, run_started_s=started_s, answer_key=answer_key)
                )
                on_progress(len(run.samples))

        await asyncio.gather(*(client() for _ in range(clients)))
    run.seconds = time.perf_counter() - started_s
    return run


def session_for(token: str, *, limit_s: float) -> aiohttp.ClientSession:
    """Return a session with as many connections as are asked for at once."""
    return aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}"},
        timeout=aiohttp.ClientTimeout(total=limit_s),
        connector=aiohttp.TCPConnector(limit=0),
    )


async def send_one(
    session: aiohttp.ClientSession,
    url: str,
    index: int,
    body: Body,
    *,
    run_started_s: float,
    due_s: float | None = None,
    answer_key: str = "label",
) -> Sample:
    """Post one picture; its duration counts from ``due_s`` (perf_counter), or from now."""
    started_s = time.perf_counter() if due_s is None else due_s
    answer, failure = None, None
    try:
        async with session.post(url, data=_data(body)) as response:
            value = await response.json(content_type=None)
        if response.status == 200 and isinstance(value, dict) and answer_key in value:
            answer = {name: value[name] for name in _KEPT if name in value}
        else:
            failure = _reason(value)
    except (aiohttp.ClientError, asyncio.TimeoutError, ValueError) as error:
        failure = type(error).__name__
    return Sample(index, time.perf_counter() - started_s, answer, failure, started_s - run_started_s)


def _indices(count: int | None, until_s: float | None) -> Iterator[int]:
    for index in itertools.count() if count is None else range(count):
        if until_s is not None and time.perf_counter() > until_s:
            return
        yield index


def _data(body: Body) -> bytes | aiohttp.FormData:
    if isinstance(body, bytes):
        return body
    form = aiohttp.FormData()
    for name, value in body.items():
        form.add_field(name, value, filename="picture" if isinstance(value, bytes) else None)
    return form


def _reason(value: Any) -> str:
    error = value.get("error") if isinstance(value, dict) else None
    return str(error["code"]) if isinstance(error, dict) and "code" in error else str(value)[:200]
