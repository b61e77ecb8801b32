"""Several processes of clients: one Python process cannot send as fast as a GPU can answer."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from types import TracebackType

from benchmarks.load import Run, send_many

_HEAD_START_S = 0.3


class Crowd:
    """Processes that send at the same time; use it as a context."""

    def __init__(self, processes: int, pictures: Sequence[bytes]) -> None:
        self._processes = processes
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(processes, context, initializer=_remember, initargs=(list(pictures),))

    def __enter__(self) -> Crowd:
        # A pool starts its processes one by one with their first work.
        for waiting in [self._pool.submit(time.sleep, 0.5) for _ in range(self._processes)]:
            waiting.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def send(self, url: str, token: str, *, clients: int, seconds: float, answer_key: str = "label") -> Run:
        """Send for ``seconds`` with ``clients`` requests under way in all; return every sample."""
        start_at = time.time() + _HEAD_START_S
        shares = shared_out(clients, self._processes)
        futures = [self._pool.submit(_send, url, token, share, seconds, answer_key, start_at) for share in shares]
        return together([future.result() for future in futures])


def shared_out(clients: int, processes: int) -> list[int]:
    """Return how many clients each process plays; none plays zero."""
    shares = [clients // processes + (index < clients % processes) for index in range(processes)]
    return [share for share in shares if share]


def together(runs: Sequence[Run]) -> Run:
    """Return runs that went on at the same time as one, its samples numbered anew."""
    samples = [sample for run in runs for sample in run.samples]
    numbered = [replace(sample, index=index) for index, sample in enumerate(samples)]
    return Run(numbered, max(run.seconds for run in runs))


_pictures: list[bytes] = []


def _remember(pictures: list[bytes]) -> None:
    _pictures.extend(pictures)


def _send(url: str, token: str, clients: int, seconds: float, answer_key: str, start_at: float) -> Run:
    time.sleep(max(0.0, start_at - time.time()))
    return asyncio.run(
        send_many(
            url,
            token,
            clients=clients,
            seconds=seconds,
            answer_key=answer_key,
            picture_for=lambda index: _pictures[index % len(_pictures)],
        )
    )
