"""A queue that becomes batches: whoever asks waits for its own result, the model sees up to ``size`` at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from fishgate.batch import run_batch
from fishgate.errors import FishgateError
from fishgate.telemetry import SilentMeter

ItemT = TypeVar("ItemT")
ReadyT = TypeVar("ReadyT")
ResultT = TypeVar("ResultT")

GATHER_S = 0.002
"""How long a batch that is not full waits for more while the model is busy anyway."""

_RUNNERS = 3  # while one batch is computed, the next is decoded and the one before it is answered


class Batches(Generic[ItemT, ReadyT, ResultT]):
    """Prepares each batch in a thread, computes one at a time, and gathers the next one meanwhile.

    ``prepare`` may run in several threads at once, ``compute`` never does. To be used inside one running event loop.
    """

    def __init__(
        self,
        model: str,
        *,
        prepare: Callable[[ItemT], ReadyT],
        compute: Callable[[Sequence[ReadyT]], Sequence[ResultT]],
        size: int,
    ) -> None:
        self._model, self._prepare, self._size = model, prepare, size
        self._turn = threading.Lock()
        self._compute = compute
        self._queue: asyncio.Queue[tuple[ItemT, asyncio.Future[ResultT]]] = asyncio.Queue()
        self._gathering = asyncio.Lock()
        self._busy = 0
        self._runners: list[asyncio.Task[None]] = []
        self._threads = ThreadPoolExecutor(_RUNNERS, model)

    def start(self) -> None:
        """Begin to work on what is asked for."""
        self._runners = [asyncio.create_task(self._run()) for _ in range(_RUNNERS)]

    async def close(self) -> None:
        """Stop working; what still waits is cancelled."""
        for runner in self._runners:
            runner.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)
        self._threads.shutdown()

    async def ask(self, item: ItemT) -> ResultT:
        """Return the item's result; raise the FishgateError that became of it."""
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((item, future))
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            async with self._gathering:
                batch = await self._gathered()
            self._busy += 1
            results = await loop.run_in_executor(self._threads, self._results, [item for item, _ in batch])
            self._busy -= 1
            for (_, future), result in zip(batch, results, strict=True):
                _settle(future, result)

    async def _gathered(self) -> list[tuple[ItemT, asyncio.Future[ResultT]]]:
        batch = [await self._queue.get()]
        if self._busy and self._queue.qsize() < self._size - 1:
            await asyncio.sleep(GATHER_S)
        while len(batch) < self._size and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    def _results(self, items: list[ItemT]) -> list[ResultT | FishgateError]:
        return run_batch(
            items,
            prepare=self._prepare,
            compute=self._in_turn,
            executor=_SameThread(),
            meter=SilentMeter(),
            model=self._model,
        )

    def _in_turn(self, ready: Sequence[ReadyT]) -> Sequence[ResultT]:
        with self._turn:
            return self._compute(ready)


class _SameThread(Executor):
    """Works where it is asked to: a batch has its thread, and small pictures are not worth another one each."""

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **options: Any) -> Iterator[Any]:
        return iter(list(map(fn, *iterables)))


def _settle(future: asyncio.Future[ResultT], result: ResultT | FishgateError) -> None:
    if future.done():  # whoever asked has gone away
        return
    if isinstance(result, FishgateError):
        future.set_exception(result)
    else:
        future.set_result(result)
