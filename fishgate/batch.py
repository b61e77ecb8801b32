"""A batch in which every picture stands for itself.

Owns the rule that a bad picture harms only its own request: it is taken out before the forward
pass, and its error stands at its place in the result. Length and order in = out. A long batch is
computed in several passes; while one is computed, the next is prepared and the one before finished.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar, cast

from fishgate.errors import FishgateError, InternalError
from fishgate.telemetry import Meter, Metric, Stage

ItemT = TypeVar("ItemT")
ReadyT = TypeVar("ReadyT")
FoundT = TypeVar("FoundT")
ResultT = TypeVar("ResultT")

_log = logging.getLogger(__name__)

_TASK_BYTES = 65_536
"""What a task prepares at least, where there is so much: with less, handing it to a thread and back costs more than
a second thread gains."""


def run_batch(
    items: Sequence[ItemT],
    *,
    prepare: Callable[[ItemT], ReadyT],
    compute: Callable[[Sequence[ReadyT]], Sequence[FoundT]],
    finish: Callable[[ReadyT, FoundT], ResultT] | None = None,
    executor: Executor,
    meter: Meter,
    model: str,
    at_once: int | None = None,
    size_of: Callable[[ItemT], int] | None = None,
) -> list[ResultT | FishgateError]:
    """Prepare each item on its own, compute the good ones ``at_once`` at a time, finish each, and put all in place.

    Without ``at_once`` all are computed in one go; without ``finish`` what is computed is the result.
    ``size_of`` tells an item's bytes: small ones are prepared several in a task, without it each in its own.
    ``prepare`` and ``finish`` run in ``executor``; what is raised becomes the item's error.
    """
    size = at_once or len(items) or 1
    passes = [items[start : start + size] for start in range(0, len(items), size)]
    tally, finishing = _Tally(), []
    coming = _prepared(passes[:1], prepare, executor, size_of)
    for number in range(len(passes)):
        with tally.timing(Stage.DECODE):
            ready = list(coming)
        coming = _prepared(passes[number + 1 : number + 2], prepare, executor, size_of)
        found = _pass(ready, compute, tally)
        finishing.append(executor.map(_finisher(finish), [ready], [found]))
    results: list[ResultT | FishgateError] = [result for finished in finishing for one in finished for result in one]
    tally.errors.update(result.code for result in results if isinstance(result, FishgateError))
    tally.tell(meter, model)
    return results


@dataclass
class _Tally:
    """What is measured of a batch, told at its end: to tell each pass and picture would cost more than they do."""

    sizes: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: dict[Stage, float] = field(default_factory=dict)

    @contextmanager
    def timing(self, stage: Stage) -> Iterator[None]:
        started_s = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started_s

    def tell(self, meter: Meter, model: str) -> None:
        for size, times in self.sizes.items():
            meter.count(Metric.BATCHES, times, model=model, size=str(size))
        for code, times in self.errors.items():
            meter.count(Metric.ERRORS, times, model=model, code=code)
        for stage, seconds in self.seconds.items():
            meter.observe(Metric.STAGE_SECONDS, seconds, model=model, stage=stage.value)


def _prepared(
    passes: Sequence[Sequence[ItemT]],
    prepare: Callable[[ItemT], ReadyT],
    executor: Executor,
    size_of: Callable[[ItemT], int] | None,
) -> Iterator[ReadyT | FishgateError]:
    """Begin to prepare the items of the passes; reading waits for them, in order."""
    portions = [portion for items in passes for portion in _portions(items, size_of)]
    prepared = executor.map(lambda portion: [_guarded(prepare, item) for item in portion], portions)
    return (ready for portion in prepared for ready in portion)


def _portions(items: Sequence[ItemT], size_of: Callable[[ItemT], int] | None) -> Iterator[list[ItemT]]:
    """Divide the items into what one task prepares."""
    portion: list[ItemT] = []
    size = 0
    for item in items:
        portion.append(item)
        size += _TASK_BYTES if size_of is None else size_of(item)
        if size >= _TASK_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _pass(
    prepared: Sequence[ReadyT | FishgateError], compute: Callable[[Sequence[ReadyT]], Sequence[FoundT]], tally: _Tally
) -> list[FoundT | FishgateError]:
    good = [ready for ready in prepared if not isinstance(ready, FishgateError)]
    tally.sizes[len(good)] += 1
    computed = iter(_compute(good, compute, tally))
    return [ready if isinstance(ready, FishgateError) else next(computed) for ready in prepared]


def _compute(
    good: Sequence[ReadyT], compute: Callable[[Sequence[ReadyT]], Sequence[FoundT]], tally: _Tally
) -> list[FoundT | FishgateError]:
    if not good:
        return []
    with tally.timing(Stage.FORWARD):
        whole = _guarded(compute, good)
    if not isinstance(whole, FishgateError):
        return list(whole)
    # One picture may have broken the pass (or filled the memory): each gets a pass of its own.
    singles = [_guarded(compute, [ready]) for ready in good]
    return [single if isinstance(single, FishgateError) else single[0] for single in singles]


def _finisher(finish: Callable[[ReadyT, FoundT], ResultT] | None) -> Callable[..., list[ResultT | FishgateError]]:
    """Return what finishes the items of a pass one after the other: each alone is too little for a thread."""

    def finish_one(ready: ReadyT | FishgateError, found: FoundT | FishgateError) -> ResultT | FishgateError:
        if isinstance(ready, FishgateError) or isinstance(found, FishgateError):
            return cast(FishgateError, found)
        return cast(ResultT, found) if finish is None else _guarded(lambda pair: finish(*pair), (ready, found))

    return lambda ready, found: [finish_one(*pair) for pair in zip(ready, found, strict=True)]


def _guarded(function: Callable[[ItemT], ResultT], item: ItemT) -> ResultT | FishgateError:
    try:
        return function(item)
    except FishgateError as error:
        return error
    except Exception:  # the border of the batch: whatever broke, the neighbours are answered
        _log.exception("a picture could not be worked on")
        return InternalError("the server failed on this picture; the operator finds the cause in the log")
