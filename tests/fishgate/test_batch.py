"""In a batch every item stands for itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

from fishgate.batch import run_batch
from fishgate.errors import DamagedImage, FishgateError, InternalError
from fishgate.telemetry import Metric, SilentMeter
from tests.meters import RecordingMeter

Passes = list[list[int]]


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


def to_number(text: str) -> int:
    """Prepare: raises our own error for letters and a foreign one for nothing at all."""
    if text == "":
        raise IndexError("a foreign error with the server's paths in it")
    if not text.isdecimal():
        raise DamagedImage(f"{text} is no number")
    return int(text)


def outcome(
    items: Sequence[str],
    executor: Executor,
    passes: Passes,
    poison: Sequence[int] = (),
    *,
    at_once: int | None = None,
) -> list[object]:
    """Run the items; compute breaks when a poisonous number is in its pass."""

    def doubled(numbers: Sequence[int]) -> list[int]:
        passes.append(list(numbers))
        if set(numbers) & set(poison):
            raise RuntimeError("out of memory")
        return [2 * number for number in numbers]

    results = run_batch(
        items,
        prepare=to_number,
        compute=doubled,
        executor=executor,
        meter=SilentMeter(),
        model="expert",
        at_once=at_once,
    )
    return [type(result) if isinstance(result, FishgateError) else result for result in results]


BATCHES = {
    "all good": (["1", "2", "3"], [2, 4, 6], [[1, 2, 3]]),
    "a bad one between": (["1", "x", "3"], [2, DamagedImage, 6], [[1, 3]]),
    "bad ones at the ends": (["x", "2", ""], [DamagedImage, 4, InternalError], [[2]]),
    "all bad": (["x", "", "y"], [DamagedImage, InternalError, DamagedImage], []),
    "the same thrice": (["7", "7", "7"], [14, 14, 14], [[7, 7, 7]]),
    "nothing": ([], [], []),
}


@pytest.mark.parametrize(("items", "results", "passes"), BATCHES.values(), ids=BATCHES)
def test_bad_items_are_taken_out_and_order_is_kept(
    executor: Executor, items: list[str], results: list[object], passes: Passes
) -> None:
    seen: Passes = []
    assert outcome(items, executor, seen) == results
    assert seen == passes


def test_a_pass_that_breaks_loses_only_the_culprit(executor: Executor) -> None:
    seen: Passes = []
    assert outcome(["1", "2", "x", "3"], executor, seen, poison=[2]) == [2, InternalError, DamagedImage, 6]
    assert seen == [[1, 2, 3], [1], [2], [3]]


def test_a_pass_that_always_breaks_gives_each_item_its_error(executor: Executor) -> None:
    assert outcome(["1", "2"], executor, [], poison=[1, 2]) == [InternalError, InternalError]


def test_a_foreign_error_tells_the_client_nothing_of_its_inside(executor: Executor) -> None:
    found = run_batch([""], prepare=to_number, compute=list, executor=executor, meter=SilentMeter(), model="expert")
    assert "operator finds the cause in the log" in str(found[0])
    assert "paths" not in str(found[0])


def test_a_batch_is_measured(executor: Executor) -> None:
    meter = RecordingMeter()
    run_batch(["1", "x", "3"], prepare=to_number, compute=list, executor=executor, meter=meter, model="expert")
    assert meter.counts == [
        (Metric.BATCHES, 1, {"model": "expert", "size": "2"}),
        (Metric.ERRORS, 1, {"model": "expert", "code": "damaged_image"}),
    ]
    assert [(metric, labels) for metric, _, labels in meter.values] == [
        (Metric.STAGE_SECONDS, {"model": "expert", "stage": "decode"}),
        (Metric.STAGE_SECONDS, {"model": "expert", "stage": "forward"}),
    ]


IN_PASSES = {
    "several full ones": (["1", "2", "3", "4"], 2, [2, 4, 6, 8], [[1, 2], [3, 4]]),
    "the last one smaller": (["1", "2", "3"], 2, [2, 4, 6], [[1, 2], [3]]),
    "a bad one between": (["1", "x", "3", "4"], 2, [2, DamagedImage, 6, 8], [[1], [3, 4]]),
    "a pass of bad ones": (["1", "2", "x", "", "5"], 2, [2, 4, DamagedImage, InternalError, 10], [[1, 2], [5]]),
    "fewer than fit": (["1"], 8, [2], [[1]]),
    "nothing": ([], 8, [], []),
}


@pytest.mark.parametrize(("items", "at_once", "results", "passes"), IN_PASSES.values(), ids=IN_PASSES)
def test_a_long_batch_is_computed_in_passes(
    executor: Executor, items: list[str], at_once: int, results: list[object], passes: Passes
) -> None:
    seen: Passes = []
    assert outcome(items, executor, seen, at_once=at_once) == results
    assert seen == passes


def test_a_pass_that_breaks_does_not_touch_the_others(executor: Executor) -> None:
    seen: Passes = []
    assert outcome(["1", "2", "3", "4"], executor, seen, poison=[3], at_once=2) == [2, 4, InternalError, 8]
    assert seen == [[1, 2], [3, 4], [3], [4]]


def test_while_one_pass_is_computed_the_next_is_prepared(executor: Executor) -> None:
    prepared = threading.Event()

    def prepare(number: int) -> int:
        if number == 2:
            prepared.set()
        return number

    def compute(numbers: Sequence[int]) -> Sequence[int]:
        assert numbers != [1] or prepared.wait(30), "the second was not prepared meanwhile"
        return numbers

    found: list[Any] = run_batch(
        [1, 2], prepare=prepare, compute=compute, executor=executor, meter=SilentMeter(), model="expert", at_once=1
    )
    assert found == [1, 2]


@pytest.mark.parametrize(
    ("sizes", "tasks"),
    [
        ([10, 10, 10, 10], [[0, 1, 2, 3]]),
        ([100_000, 100_000, 10, 10], [[0], [1], [2, 3]]),
        ([40_000, 40_000, 10, 100_000], [[0, 1], [2, 3]]),
    ],
    ids=["small", "large first", "mixed"],
)
def test_small_ones_share_a_task(sizes: list[int], tasks: list[list[int]]) -> None:
    seen: dict[int, list[int]] = {}
    task: ContextVar[int] = ContextVar("task")

    class Counting(ThreadPoolExecutor):
        """Numbers its tasks, and tells each of them its number."""

        def submit(self, function: Any, /, *arguments: Any, **words: Any) -> Any:
            number = len(seen)
            seen[number] = []

            def numbered() -> Any:
                task.set(number)
                return function(*arguments, **words)

            return super().submit(numbered)

    def prepare(item: int) -> int:
        seen[task.get()].append(item)
        return item

    with Counting(2) as executor:
        results: list[Any] = run_batch(
            range(4),
            prepare=prepare,
            compute=list,
            executor=executor,
            meter=SilentMeter(),
            model="expert",
            size_of=sizes.__getitem__,
        )
    assert results == [0, 1, 2, 3]
    assert [own for own in seen.values() if own] == tasks


def test_several_passes_are_measured_together(executor: Executor) -> None:
    meter = RecordingMeter()
    numbers = ["1", "2", "3", "x", "4", "5", "y"]
    run_batch(numbers, prepare=to_number, compute=list, executor=executor, meter=meter, model="expert", at_once=2)
    assert meter.counts == [
        (Metric.BATCHES, 2, {"model": "expert", "size": "2"}),
        (Metric.BATCHES, 1, {"model": "expert", "size": "1"}),
        (Metric.BATCHES, 1, {"model": "expert", "size": "0"}),
        (Metric.ERRORS, 2, {"model": "expert", "code": "damaged_image"}),
    ]
    assert [labels["stage"] for _, _, labels in meter.values] == ["decode", "forward"]


def test_each_item_is_finished_on_its_own(executor: Executor) -> None:
    def finish(number: int, found: str) -> str:
        if number == 2:
            raise ZeroDivisionError
        return f"{number} is {found}"

    results = run_batch(
        ["1", "x", "2", "3"],
        prepare=to_number,
        compute=lambda numbers: [f"<{number}>" for number in numbers],
        finish=finish,
        executor=executor,
        meter=SilentMeter(),
        model="expert",
        at_once=2,
    )
    assert [results[0], results[3]] == ["1 is <1>", "3 is <3>"]
    assert [type(result) for result in results[1:3]] == [DamagedImage, InternalError]


def test_while_one_pass_is_computed_the_one_before_is_finished(executor: Executor) -> None:
    finished = threading.Event()

    def finish(number: int, found: int) -> int:
        finished.set()
        return found

    def compute(numbers: Sequence[int]) -> Sequence[int]:
        assert numbers != [2] or finished.wait(30), "the first was not finished meanwhile"
        return numbers

    words = {"executor": executor, "meter": SilentMeter(), "model": "expert"}
    found = run_batch([1, 2], prepare=int, compute=compute, finish=finish, at_once=1, **words)  # type: ignore[arg-type]
    assert found == [1, 2]
