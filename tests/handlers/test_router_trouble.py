"""Whatever the router is given, it answers: tokens, broken hand-overs, lost pictures, metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fishgate import wire
from fishgate.errors import DamagedImage, SettingError
from handlers.router_handler import RouterHandler
from tests.fishgate.opinions import expert_opinion, zero_shot_opinion
from tests.handlers.conftest import MakeRouter
from tests.handlers.fake_torchserve import FakeContext, Request
from tests.handlers.rounds import answers, assert_stood_in, deferred_answer, handed_over
from tests.handlers.zero_shot_stand_in import StandInHandler, running, says

OPINION = wire.reply(zero_shot_opinion())
NOBODY = "http://127.0.0.1:9"


def hand_over(**changes: Any) -> bytes:
    whole = {"opinion": expert_opinion(0.4).model_dump(mode="json"), "options": {}, "picture": None}
    return json.dumps({**whole, **changes}).encode()


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"body": b""}, "internal"),
    "no body": ({}, "internal"),
    "a form": ({"data": b"\xff\xd8 a picture sent to the router itself"}, "internal"),
    "text": ({"body": "Prediction failed"}, "internal"),
    "deeply nested": ({"body": b"[" * 100_000}, "internal"),
    "a plain opinion": ({"body": wire.reply(expert_opinion())}, "invalid_option"),
    "an error of the expert": ({"body": wire.reply(DamagedImage("cut off"))}, "damaged_image"),
    "an error that is none": ({"body": b'{"error": {"status": 503}}'}, "internal"),
    "wrong options": ({"body": hand_over(options={"top_k": "many"})}, "invalid_option"),
    "no options": ({"body": hand_over(options=None)}, "internal"),
}


def write_keys(folder: Path, token: str) -> Path:
    path = folder / "key_file.json"
    path.write_text(json.dumps({"inference": {"key": token}, "management": {"key": "not this one"}}))
    return path


@pytest.mark.parametrize(("fields", "code"), BROKEN.values(), ids=BROKEN)
def test_a_broken_hand_over_harms_only_itself(
    make_router: MakeRouter, spooled: Path, fields: dict[str, Any], code: str
) -> None:
    handler, context = make_router(NOBODY)
    requests = [handed_over(spooled, 0.93), Request(fields), handed_over(spooled, 0.93)]
    good, broken, also_good = answers(handler, context, requests)
    assert (good.json["label"], also_good.json["label"]) == ("Tilapia", "Tilapia")
    assert (broken.json["error"]["code"], broken.status) == (code, 200)


@pytest.mark.parametrize("ticket", [None, "0" * 32], ids=["was never laid down", "is gone"])
def test_the_expert_stands_in_for_a_picture_that(make_router: MakeRouter, ticket: str | None) -> None:
    handler, context = make_router(NOBODY)
    assert_stood_in(answers(handler, context, [Request({"body": hand_over(picture=ticket)})])[0].json)


def test_a_ticket_that_is_none_is_an_error_of_its_own(make_router: MakeRouter) -> None:
    handler, context = make_router(NOBODY)
    reply = answers(handler, context, [Request({"body": hand_over(picture="../../etc/hostname")})])[0]
    assert reply.json["error"]["code"] == "internal"


def test_the_inference_token_of_the_key_file_is_sent(make_router: MakeRouter, spooled: Path, tmp_path: Path) -> None:
    with running(says(OPINION)) as zero_shot:
        deferred_answer(make_router, spooled, zero_shot.url, key_file=write_keys(tmp_path, "secret"))
    assert [headers["Authorization"] for _, headers, _ in zero_shot.requests] == ["Bearer secret"]


def test_without_a_key_file_no_token_is_sent(make_router: MakeRouter, spooled: Path) -> None:
    with running(says(OPINION)) as zero_shot:
        deferred_answer(make_router, spooled, zero_shot.url)
    assert "Authorization" not in zero_shot.requests[0][1]


def test_a_renewed_token_is_read_after_a_refusal(make_router: MakeRouter, spooled: Path, tmp_path: Path) -> None:
    keys = write_keys(tmp_path, "old")

    def renews_and_refuses(handler: StandInHandler) -> None:
        write_keys(tmp_path, "new")
        says(b"no", 400)(handler)

    with running(says(OPINION), renews_and_refuses, says(OPINION)) as zero_shot:
        handler, context = make_router(zero_shot.url, key_file=keys)
        for _ in range(2):
            reply = answers(handler, context, [handed_over(spooled, 0.4)])[0]
            assert reply.json["source"] == "zero_shot"
    assert [headers["Authorization"] for _, headers, _ in zero_shot.requests] == [
        "Bearer old",
        "Bearer old",
        "Bearer new",
    ]


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"inference": null}'], ids=repr)
def test_the_expert_stands_in_when_the_key_file_cannot_be_read(
    make_router: MakeRouter, spooled: Path, tmp_path: Path, text: str | None
) -> None:
    keys = tmp_path / "key_file.json"
    if text is not None:
        keys.write_text(text)
    assert_stood_in(deferred_answer(make_router, spooled, NOBODY, key_file=keys))


def test_every_outcome_is_counted(make_router: MakeRouter, spooled: Path) -> None:
    with running(says(OPINION), says(wire.reply(zero_shot_opinion(0.1))), says(b"", 500)) as zero_shot:
        handler, context = make_router(zero_shot.url)
        for confidence in (0.93, 0.4, 0.4, 0.4):
            answers(handler, context, [handed_over(spooled, confidence)])
        answers(handler, context, [Request({"body": b""})])
    assert [tuple(labels.values()) for _, labels in context.metrics.values("fishgate_identifications_total")] == [
        ("expert", "accepted"),
        ("zero_shot", "accepted"),
        ("zero_shot", "low_confidence"),
        ("expert", "degraded"),
        ("none", "error"),
    ]
    ranks = [labels["rank"] for _, labels in context.metrics.values("fishgate_ranks_total")]
    assert ranks == ["species", "species", "none", "species"]
    assert len(context.metrics.values("fishgate_deferrals_total")) == 3
    stages = [labels for _, labels in context.metrics.values("fishgate_stage_seconds")]
    assert stages == [{"model": "router", "stage": "zero_shot_call"}] * 3


def test_a_router_with_an_unknown_setting_does_not_start(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, config={"fishgate": {"zero_shot_limit": 3}})
    with pytest.raises(SettingError, match=r"unknown key 'zero_shot_limit'; allowed keys: .*zero_shot_limit_s"):
        RouterHandler().initialize(context)
