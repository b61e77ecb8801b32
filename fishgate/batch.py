"""A batch in which every picture stands for itself.

Owns the rule that a bad picture harms only its own request: it is taken out before the forward
pass, and its error stands at its place in the result. Length and order in = out. A long batch is
computed in several passes; while one is computed, the next is prepared.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from fishgate.errors import FishgateError, InternalError
from fishgate.telemetry import Meter, Metric, Stage, timed

ItemT = TypeVar("ItemT")
ReadyT = TypeVar("ReadyT")
ResultT = TypeVar("ResultT")

_log = logging.getLogger(__name__)


def run_batch(
    items: Sequence[ItemT],
    *,
    prepare: Callable[[ItemT], ReadyT],
    compute: Callable[[Sequence[ReadyT]], Sequence[ResultT]],
    executor: Executor,
    meter: Meter,
    model: str,
    at_once: int | None = None,
) -> list[ResultT | FishgateError]:
    """Prepare each item on its own, compute the good ones ``at_once`` at a time, and put all in place.

    Without ``at_once`` all are computed in one go. ``prepare`` runs in ``executor``; what it or
    ``compute`` raises becomes the item's error.
    """
    size = at_once or len(items) or 1
    passes = [items[start : start + size] for start in range(0, len(items), size)]
    results: list[ResultT | FishgateError] = []
    coming = _prepared(passes[:1], prepare, executor)
    for number in range(len(passes)):
        with timed(meter, model, Stage.DECODE):
            prepared = list(coming)
        coming = _prepared(passes[number + 1 : number + 2], prepare, executor)
        results += _pass(prepared, compute, meter, model)
    for result in results:
        if isinstance(result, FishgateError):
            meter.count(Metric.ERRORS, model=model, code=result.code)
    return results


def _prepared(
    passes: Sequence[Sequence[ItemT]], prepare: Callable[[ItemT], ReadyT], executor: Executor
) -> Iterator[ReadyT | FishgateError]:
    """Begin to prepare the items of the passes; reading waits for them, in order."""
    return executor.map(lambda item: _guarded(prepare, item), [item for items in passes for item in items])


def _pass(
    prepared: Sequence[ReadyT | FishgateError],
    compute: Callable[[Sequence[ReadyT]], Sequence[ResultT]],
    meter: Meter,
    model: str,
) -> list[ResultT | FishgateError]:
    good = [ready for ready in prepared if not isinstance(ready, FishgateError)]
    meter.count(Metric.BATCHES, model=model, size=str(len(good)))
    computed = iter(_compute(good, compute, meter, model))
    return [ready if isinstance(ready, FishgateError) else next(computed) for ready in prepared]


def _compute(
    good: Sequence[ReadyT], compute: Callable[[Sequence[ReadyT]], Sequence[ResultT]], meter: Meter, model: str
) -> list[ResultT | FishgateError]:
    if not good:
        return []
    with timed(meter, model, Stage.FORWARD):
        whole = _guarded(compute, good)
    if not isinstance(whole, FishgateError):
        return list(whole)
    # One picture may have broken the pass (or filled the memory): each gets a pass of its own.
    singles = [_guarded(compute, [ready]) for ready in good]
    return [single if isinstance(single, FishgateError) else single[0] for single in singles]


def _guarded(function: Callable[[ItemT], ResultT], item: ItemT) -> ResultT | FishgateError:
    try:
        return function(item)
    except FishgateError as error:
        return error
    except Exception:  # the border of the batch: whatever broke, the neighbours are answered
        _log.exception("a picture could not be worked on")
        return InternalError("the server failed on this picture; the operator finds the cause in the log")
