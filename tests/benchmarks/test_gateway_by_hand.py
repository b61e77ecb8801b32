"""The server written by hand: it batches, and answers as ours does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from benchmarks.peers.by_hand.batches import Batches
from benchmarks.peers.by_hand.cascade import Cascade
from benchmarks.pictures import bright_picture, dark_picture
from fishgate.answer import Source
from fishgate.errors import DamagedImage, FishgateError, InvalidOption
from fishgate.options import Options


class Doubling:
    """A model that doubles numbers and remembers its batches; the first one waits until it may go."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.may_go = threading.Event()
        self.at_once = self.most_at_once = 0

    def compute(self, ready: Sequence[int]) -> list[int]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.may_go.wait(30)
        self.sizes.append(len(ready))
        self.at_once -= 1
        return [2 * number for number in ready]


def checked(number: int) -> int:
    if number < 0:
        raise InvalidOption("below zero")
    return number


async def doubled(model: Doubling, numbers: Sequence[int]) -> list[int | BaseException]:
    batches = Batches("toy", prepare=checked, compute=model.compute, size=8)
    batches.start()
    try:
        asking = [asyncio.create_task(batches.ask(number)) for number in numbers]
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.05, model.may_go.set)
        return list(await asyncio.gather(*asking, return_exceptions=True))
    finally:
        await batches.close()


def test_each_gets_its_own_and_batches_are_full() -> None:
    model = Doubling()
    assert asyncio.run(doubled(model, range(40))) == [2 * number for number in range(40)]
    assert sum(model.sizes) == 40
    assert max(model.sizes) == 8
    assert model.most_at_once == 1


def test_a_bad_one_harms_nobody() -> None:
    results = asyncio.run(doubled(Doubling(), [1, -1, 3]))
    assert [results[0], results[2]] == [2, 6]
    assert isinstance(results[1], InvalidOption)


async def identified(picture: bytes, options: Options) -> object:
    cascade = Cascade()
    cascade.start()
    try:
        return await cascade.identify(picture, options)
    except FishgateError as error:
        return error
    finally:
        await cascade.close()


@pytest.mark.parametrize(
    ("picture", "source", "deferred"),
    [(bright_picture(), Source.EXPERT, False), (dark_picture(), Source.ZERO_SHOT, True)],
    ids=["bright", "dark"],
)
def test_the_whole_cascade_is_there(picture: bytes, source: Source, deferred: bool) -> None:
    answer = asyncio.run(identified(picture, Options(top_k=2)))
    assert (answer.source, answer.deferred, answer.degraded) == (source, deferred, False)  # type: ignore[attr-defined]
    assert len(answer.candidates) == 2  # type: ignore[attr-defined]


def test_a_bad_picture_has_its_code() -> None:
    picture = bright_picture()
    assert isinstance(asyncio.run(identified(picture[: len(picture) // 2], Options())), DamagedImage)
