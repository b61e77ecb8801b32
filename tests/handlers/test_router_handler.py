"""The router lets accepted pictures pass at once and fetches zero-shot's opinion for the others."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from fishgate import wire
from fishgate.errors import DamagedImage, Overloaded
from tests.fishgate.opinions import zero_shot_opinion
from tests.handlers.conftest import MakeRouter
from tests.handlers.fake_torchserve import Reply
from tests.handlers.rounds import ENOUGH_S, PICTURE, answers, assert_stood_in, deferred_answer, handed_over
from tests.handlers.zero_shot_stand_in import Behaviour, drops, running, says, waits_then

OPINION = wire.reply(zero_shot_opinion())

FAILURES: dict[str, list[Behaviour]] = {
    "refuses": [says(b'{"code": 503, "message": "no workers"}', 503)],
    "is not there": [says(b'{"code": 404}', 404)],
    "fails": [says(b"Prediction failed", 500)],
    "talks nonsense": [says(b"a pike, I guess")],
    "drops every connection": [drops],
    "does not like the picture": [says(wire.reply(DamagedImage("cut off")), 422)],
}
RECOVERIES: dict[str, list[Behaviour]] = {
    "a dropped connection": [drops, says(OPINION)],
    "a refusal": [says(b"busy", 503), says(OPINION)],
    "an overload": [says(wire.reply(Overloaded("full")), 503), says(OPINION)],
}


def test_an_accepted_picture_passes_in_the_first_round(make_router: MakeRouter, spooled: Path) -> None:
    with running(says(OPINION)) as zero_shot:
        handler, context = make_router(zero_shot.url, least_ms=1_000.0)
        reply = context.round(handler, [handed_over(spooled, 0.93)])["request-0"]
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert (reply.json["label"], reply.json["source"], reply.json["deferred"]) == ("Tilapia", "expert", False)
    assert zero_shot.requests == []


def test_a_deferred_picture_is_answered_by_zero_shot(make_router: MakeRouter, spooled: Path) -> None:
    with running(says(OPINION)) as zero_shot:
        answer = deferred_answer(make_router, spooled, zero_shot.url)
    assert (answer["label"], answer["source"], answer["degraded"]) == ("Pike", "zero_shot", False)
    assert answer["models"] == {"expert": "demo-1", "zero_shot": "zero-1"}


def test_zero_shot_gets_the_picture_and_the_options(make_router: MakeRouter, spooled: Path) -> None:
    with running(says(OPINION)) as zero_shot:
        handler, context = make_router(zero_shot.url)
        answers(handler, context, [handed_over(spooled, 0.4, {"top_k": "2", "labels": '["Pike"]'})])
    path, _, body = zero_shot.requests[0]
    assert path == "/predictions/zero_shot"
    for part in (PICTURE, b'name="data"', b'name="top_k"', b'name="labels"', b'["Pike"]'):
        assert part in body


def test_confident_pictures_pass_while_deferred_ones_are_withheld(make_router: MakeRouter, spooled: Path) -> None:
    with running(waits_then(says(OPINION))) as zero_shot:
        handler, context = make_router(zero_shot.url)
        slow, fast = handed_over(spooled, 0.4), [handed_over(spooled, 0.93) for _ in range(3)]
        replies = answers(handler, context, fast, withheld=[slow])
        assert {reply.json["source"] for reply in replies} == {"expert"}
        assert slow.id not in context.request_ids.values()
        zero_shot.released.set()
        assert answers(handler, context, [slow])[0].json["source"] == "zero_shot"


def test_a_waiting_picture_is_asked_for_only_once(make_router: MakeRouter, spooled: Path) -> None:
    with running(waits_then(says(OPINION))) as zero_shot:
        handler, context = make_router(zero_shot.url)
        slow = handed_over(spooled, 0.4)
        for _ in range(5):
            assert context.round(handler, [slow]) == {}
        zero_shot.released.set()
        answers(handler, context, [slow])
    assert len(zero_shot.requests) == 1


@pytest.mark.parametrize("behaviours", FAILURES.values(), ids=FAILURES)
def test_the_expert_stands_in_when_zero_shot(
    make_router: MakeRouter, spooled: Path, behaviours: list[Behaviour]
) -> None:
    with running(*behaviours) as zero_shot:
        assert_stood_in(deferred_answer(make_router, spooled, zero_shot.url))


def test_the_expert_stands_in_when_nobody_listens(make_router: MakeRouter, spooled: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert_stood_in(deferred_answer(make_router, spooled, f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_the_expert_stands_in_when_zero_shot_is_too_slow(make_router: MakeRouter, spooled: Path) -> None:
    with running(waits_then(says(OPINION))) as zero_shot:
        assert_stood_in(deferred_answer(make_router, spooled, zero_shot.url, zero_shot_limit_s=0.05))


@pytest.mark.parametrize("behaviours", RECOVERIES.values(), ids=RECOVERIES)
def test_zero_shot_is_asked_again_after(make_router: MakeRouter, spooled: Path, behaviours: list[Behaviour]) -> None:
    with running(*behaviours) as zero_shot:
        assert deferred_answer(make_router, spooled, zero_shot.url)["source"] == "zero_shot"
    assert len(zero_shot.requests) == 2


def test_a_bad_picture_is_not_sent_twice(make_router: MakeRouter, spooled: Path) -> None:
    with running(says(wire.reply(DamagedImage("cut off")), 422)) as zero_shot:
        deferred_answer(make_router, spooled, zero_shot.url)
    assert len(zero_shot.requests) == 1


def test_no_more_pictures_than_allowed_wait_for_zero_shot(make_router: MakeRouter, spooled: Path) -> None:
    with running(waits_then(says(OPINION))) as zero_shot:
        handler, context = make_router(zero_shot.url, zero_shot_in_flight=2)
        requests = [handed_over(spooled, 0.4) for _ in range(5)]
        turned_away: dict[str, Reply] = {}
        while len(turned_away) < 3:
            waiting = [request for request in requests if request.id not in turned_away]
            turned_away.update(context.round(handler, waiting)) if waiting else None
        for reply in turned_away.values():
            assert_stood_in(reply.json)
        zero_shot.released.set()
        rest: dict[str, Reply] = {}
        while len(rest) < 2:
            rest.update(context.round(handler, [r for r in requests if r.id not in {**turned_away, **rest}]))
    assert {reply.json["source"] for reply in rest.values()} == {"zero_shot"}
    assert len(zero_shot.requests) == 2


def test_a_request_that_the_server_gave_up_is_given_up_here_too(make_router: MakeRouter, spooled: Path) -> None:
    with running(waits_then(says(OPINION))) as zero_shot:
        handler, context = make_router(zero_shot.url)
        abandoned, passing = handed_over(spooled, 0.4), handed_over(spooled, 0.99)
        abandoned.id, passing.id = "abandoned", "passing"
        assert context.round(handler, [abandoned]) == {}
        assert context.round(handler, [passing]).keys() == {"passing"}
        deadline_s = time.monotonic() + ENOUGH_S
        while list(spooled.iterdir()):
            assert time.monotonic() < deadline_s, "its picture still waits in the spool"
            time.sleep(0.01)
