"""The rounds of a continuous batch, as TorchServe goes through them with the router."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fishgate import wire
from fishgate.spool import Spool
from handlers.router_handler import RouterHandler
from tests.fishgate.opinions import expert_opinion
from tests.handlers.fake_torchserve import FakeContext, Reply, Request

PICTURE = b"\xff\xd8 the picture"
ENOUGH_S = 30.0


def handed_over(spooled: Path, confidence: float, options: dict[str, str] | None = None) -> Request:
    """What the expert hands over: an accepted or a deferred picture (threshold 0.87)."""
    ticket = Spool(spooled).put(PICTURE) if confidence < 0.87 else None
    hand_over = wire.HandOver(opinion=expert_opinion(confidence), options=options or {}, picture=ticket)
    return Request({"body": wire.reply(hand_over)})


def answers(
    handler: RouterHandler, context: FakeContext, requests: list[Request], *, withheld: Sequence[Request] = ()
) -> list[Reply]:
    """Go on until every request has its reply; the withheld ones take part and must get none."""
    replies: dict[str, Reply] = {}
    for number, request in enumerate((*requests, *withheld)):
        request.id = request.id or f"picture-{number}"
    deadline_s = time.monotonic() + ENOUGH_S
    while any(request.id not in replies for request in requests):
        assert time.monotonic() < deadline_s, "some requests never got a reply"
        waiting = [request for request in requests if request.id not in replies]
        replies.update(context.round(handler, [*withheld, *waiting]))
    assert not any(request.id in replies for request in withheld)
    return [replies[request.id] for request in requests]


def deferred_answer(
    make_router: Callable[..., tuple[RouterHandler, FakeContext]], spooled: Path, url: str, **settings: Any
) -> dict[str, Any]:
    """Let a router settle one deferred picture; return the answer."""
    handler, context = make_router(url, **settings)
    answer = answers(handler, context, [handed_over(spooled, 0.4)])[0].json
    assert list(spooled.iterdir()) == [], "the picture must not stay in the spool"
    return answer


def assert_stood_in(answer: dict[str, Any]) -> None:
    assert (answer["label"], answer["source"]) == ("Tilapia", "expert")
    assert (answer["deferred"], answer["degraded"], answer["low_confidence"]) == (True, True, True)
