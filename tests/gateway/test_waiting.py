"""The order in which pictures wait."""

from __future__ import annotations

import asyncio

import pytest

from fishgate.errors import FishgateError, InternalError, UnsupportedImage
from gateway.backend import Unavailable, WorkerLost
from gateway.suspicion import SuspicionRule, still_waiting, suspect
from gateway.waiting import Asked, WaitingPictures
from tests.gateway.engine_parts import packed

RULE = SuspicionRule(deaths=3, pause_s=0.1)
LOST = WorkerLost("the worker ended")


def asked(name: str, *, size: int = 1, losses: int = 0, deaths: int = 0, due_s: float = 0.0) -> Asked:
    loop = asyncio.new_event_loop()
    loop.close()
    reply: asyncio.Future[object] = asyncio.Future(loop=loop)
    picture = packed(name, b"x" * size)
    return Asked(picture, 100.0, 0.0, reply, losses=losses, deaths=deaths, due_s=due_s)  # type: ignore[arg-type]


def over(one: Asked) -> Asked:
    one.reply.cancel()
    return one


def names(pictures: list[Asked]) -> str:
    return "".join(one.packed.request_id for one in pictures)


def line(*pictures: Asked) -> WaitingPictures:
    waiting = WaitingPictures()
    for one in pictures:
        waiting.join(one)
    return waiting


TAKEN = {
    "the first ones": ([asked("a"), asked("b"), asked("c")], 2, 100, "ab"),
    "all there are": ([asked("a"), asked("b")], 9, 100, "ab"),
    "no more bytes than allowed": ([asked("a", size=4), asked("b", size=5), asked("c")], 9, 9, "ab"),
    "none passes another that is too large": ([asked("a"), asked("b", size=9), asked("c")], 9, 5, "a"),
    "one that is too large goes alone": ([asked("a", size=9), asked("b")], 9, 5, "a"),
    "no suspect": ([asked("a", losses=1), asked("b")], 9, 100, "b"),
    "none for whom nobody waits": ([over(asked("a")), asked("b")], 9, 100, "b"),
    "nothing where nothing is": ([], 9, 100, ""),
}


@pytest.mark.parametrize(("pictures", "count", "size", "taken"), TAKEN.values(), ids=TAKEN)
def test_a_packet_takes(pictures: list[Asked], count: int, size: int, taken: str) -> None:
    waiting = line(*pictures)
    assert names(waiting.take(pictures=count, size=size)) == taken
    assert not set(taken) & set(names(waiting.all()))


def test_what_is_put_back_stands_in_front_in_its_order() -> None:
    waiting = line(asked("c"), asked("d"))
    waiting.put_back([asked("a"), asked("b")])
    assert (len(waiting), names(waiting.take(pictures=9, size=99))) == (4, "abcd")


def test_the_suspect_that_is_due_first_comes_first() -> None:
    waiting = line(asked("a", losses=2, due_s=5.0), asked("b", losses=1, due_s=1.0), asked("c"))
    assert waiting.suspect is not None
    assert waiting.suspect.packed.request_id == "b"
    assert (waiting.sharing, waiting.first is not None and waiting.first.packed.request_id) == (1, "c")
    waiting.leave(waiting.suspect)
    assert waiting.suspect.packed.request_id == "a"


SUSPECTED = {  # losses and deaths before; quiet; losses, deaths and due time after
    "lost the first time": ((0, 0), False, (1, 0, 7.0)),
    "lost the first time, alone by chance": ((0, 0), True, (1, 0, 7.0)),
    "lost the second time, others were in flight": ((1, 0), False, (2, 0, 7.0)),
    "lost in quiet": ((2, 0), True, (3, 1, 7.4)),
    "lost in quiet again": ((3, 1), True, (4, 2, 8.6)),
    "lost though there was to be quiet": ((2, 0), False, (3, 0, 7.0)),
}


@pytest.mark.parametrize(("before", "was_quiet", "after"), SUSPECTED.values(), ids=SUSPECTED)
def test_a_lost_picture_becomes_a_suspect(
    before: tuple[int, int], was_quiet: bool, after: tuple[int, int, float]
) -> None:
    one = asked("a", losses=before[0], deaths=before[1])
    assert suspect([one], LOST, RULE, was_quiet=was_quiet, now_s=7.0) == [one]
    assert (one.losses, one.deaths, one.due_s) == pytest.approx(after)
    assert one.trouble is LOST


def failure(one: Asked) -> FishgateError | None:
    return one.reply.exception() if one.reply.done() else None  # type: ignore[return-value]


def test_after_so_many_workers_it_was_the_picture() -> None:
    one = asked("a", losses=4, deaths=2)
    assert suspect([one], LOST, RULE, was_quiet=True, now_s=0.0) == []
    assert isinstance(failure(one), InternalError)


def test_an_error_that_answers_one_picture_is_its_own() -> None:
    one, error = asked("a"), UnsupportedImage("no picture")
    assert suspect([one], error, RULE, was_quiet=False, now_s=0.0) == []
    assert failure(one) is error


def test_an_error_that_answers_several_is_asked_about_again() -> None:
    pictures = [asked("a"), over(asked("b")), asked("c")]
    assert names(suspect(pictures, UnsupportedImage("?"), RULE, was_quiet=False, now_s=0.0)) == "ac"


def test_those_who_still_wait_remember_why() -> None:
    away, pictures = Unavailable("away"), [asked("a"), over(asked("b"))]
    assert names(still_waiting(pictures, away)) == "a"
    assert (pictures[0].trouble, pictures[1].trouble, pictures[0].is_suspect) == (away, None, False)
