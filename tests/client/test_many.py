"""Many pictures at once: each gets its own result, in order or not, whatever happens to the others."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from fishgate_client import Fishgate, InternalError, Overloaded, Retries
from fishgate_client.pace import Pace

from tests.client.replies import ANSWER
from tests.client.stand_in import StandIn
from tests.client.troubles import cut, garbage, refusing

QUICK = Retries(attempts=4, first_wait_s=0.01, longest_wait_s=0.02)
PICTURES = [f"picture {number}".encode() for number in range(60)]


@pytest.fixture
def fishgate(server: StandIn) -> Iterator[Fishgate]:
    with Fishgate(server.url, retries=QUICK) as client:
        yield client


@pytest.mark.parametrize("torchserve", [False, True], ids=["gateway", "torchserve"])
def test_each_is_asked_once_and_comes_back_in_order(server: StandIn, torchserve: bool) -> None:
    with Fishgate(server.url, torchserve=torchserve) as client:
        results = list(client.identify_many(PICTURES))
    assert [result.picture for result in results] == PICTURES
    assert {result.unwrap().label for result in results} == {"Carp"}
    assert server.asked == dict.fromkeys(PICTURES, 1)
    assert server.most_at_once <= 128


def test_the_gateway_gets_several_in_one_request(fishgate: Fishgate, server: StandIn) -> None:
    assert len(list(fishgate.identify_many(PICTURES))) == len(PICTURES)
    paths = [request["path"] for request in server.requests]
    assert "/v1/identify/batch" in paths
    assert len(paths) < len(PICTURES)


def test_what_comes_first_is_given_first(fishgate: Fishgate, server: StandIn) -> None:
    is_let_go = threading.Event()

    async def slow(request: web.Request) -> None:
        while await request.read() == PICTURES[0] and not is_let_go.is_set():
            await asyncio.sleep(0.01)

    server.troubles.extend([slow] * len(PICTURES))
    results = fishgate.identify_many(PICTURES, in_order=False)
    first = next(results)
    is_let_go.set()
    rest = list(results)
    assert first.picture != PICTURES[0]
    assert sorted(result.picture for result in [first, *rest]) == sorted(PICTURES)


def test_options_arrive_in_a_batch(fishgate: Fishgate, server: StandIn) -> None:
    list(fishgate.identify_many(PICTURES, labels=["Hecht", "Löffelstör"], top_k=2))
    batches = [request["form"] for request in server.requests if request["path"].endswith("batch")]
    assert batches
    assert all(form == {"top_k": "2", "labels": '["Hecht", "Löffelstör"]'} for form in batches)


def test_a_bad_one_harms_only_itself(fishgate: Fishgate, tmp_path: Any) -> None:
    pictures: list[Any] = [*PICTURES[:20], b"#damaged", b"", tmp_path / "none.jpg", b"#broken", *PICTURES[20:40]]
    results = list(fishgate.identify_many(pictures))
    codes = [result.error.code for result in results if result.error]
    assert codes == ["damaged_image", "empty_image", "unreadable_file", "internal"]
    assert sum(result.answer is not None for result in results) == 40


WHOLE_REQUESTS = {
    "overloaded": refusing(503, "overloaded", **{"Retry-After": "0"}),
    "rate limited": refusing(429, "rate_limited"),
    "cut off": cut(),
    "cut off after a line": cut(json.dumps({"index": 0, "answer": ANSWER}).encode() + b"\n"),
    "no lines": garbage(200, ""),
    "a line too few": garbage(200, json.dumps({"index": 0, "answer": ANSWER})),
    "a proxy": garbage(502),
    "too large together": refusing(413, "request_too_large"),
    "broken": refusing(500, "internal"),
    "another program": garbage(),
    "a line twice": garbage(200, 2 * (json.dumps({"index": 0, "answer": ANSWER}) + "\n")),
}


@pytest.mark.parametrize("trouble", WHOLE_REQUESTS.values(), ids=WHOLE_REQUESTS)
def test_a_request_that_fails_loses_no_picture(fishgate: Fishgate, server: StandIn, trouble: Any) -> None:
    server.batch_troubles.append(trouble)
    results = list(fishgate.identify_many(PICTURES))
    assert [result.picture for result in results] == PICTURES
    assert {result.unwrap().label for result in results} == {"Carp"}
    assert not server.batch_troubles


def test_one_that_breaks_its_request_is_found_out(fishgate: Fishgate, server: StandIn) -> None:
    """A whole request fails whenever a certain picture is in it, and that picture alone has the error."""

    async def poisoned(request: web.Request) -> web.StreamResponse | None:
        return await refusing(500, "internal")(request) if b"poison" in await request.read() else None

    server.troubles.extend([poisoned] * 500)
    server.batch_troubles.extend([poisoned] * 500)
    results = list(fishgate.identify_many([*PICTURES[:50], b"poison", *PICTURES[50:]]))
    failed = [result for result in results if result.error]
    assert [(result.picture, type(result.error)) for result in failed] == [(b"poison", InternalError)]


def test_patience_has_an_end(fishgate: Fishgate, server: StandIn) -> None:
    server.troubles.extend([refusing(503, "overloaded")] * QUICK.attempts)
    (result,) = fishgate.identify_many([b"a fish"])
    assert isinstance(result.error, Overloaded)
    with pytest.raises(Overloaded):
        result.unwrap()


def test_pictures_are_taken_only_when_their_turn_comes(fishgate: Fishgate, server: StandIn) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield f"picture {taken}".encode()

    results = fishgate.identify_many(endless(), at_once=16, in_order=False)
    for _ in range(40):
        next(results)
    assert taken <= 40 + 16
    results.close()
    assert server.most_at_once <= 16


def test_a_bug_in_reading_ends_the_iteration(fishgate: Fishgate) -> None:
    class Odd:
        def read(self, count: int) -> bytes:
            raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        list(fishgate.identify_many([Odd()]))  # type: ignore[list-item]


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_pace_quickens_halves_and_grows_slowly() -> None:
    clock = Clock()
    pace = Pace(64, clock=clock)
    assert pace.limit == 8
    for _ in range(8):
        pace.went_well(8, began_s=clock.now_s)
    assert pace.limit == 64
    clock.now_s = 1.0
    pace.was_refused(began_s=0.5)
    pace.was_refused(began_s=0.6)  # sent before the first was known
    assert pace.limit == 32
    pace.went_well(32, began_s=1.0)
    assert pace.limit == 36


def test_the_pace_slackens_when_answers_take_long() -> None:
    clock = Clock()
    pace = Pace(8, clock=clock)
    clock.now_s = 15.0
    pace.went_well(1, began_s=0.0)
    assert pace.limit == 4
    pace.went_well(1, began_s=11.0)  # neither quick nor slow
    assert pace.limit == 4


def test_the_pace_never_stops() -> None:
    clock = Clock()
    pace = Pace(2, clock=clock)
    for _ in range(5):
        clock.now_s += 1.0
        pace.was_refused(began_s=clock.now_s)
    assert (pace.limit, pace.group) == (1, 1)
    with pytest.raises(ValueError, match="got 0"):
        Pace(0)
