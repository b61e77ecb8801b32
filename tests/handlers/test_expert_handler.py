"""The expert's worker answers direct requests plainly and hands workflow requests on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fishgate import wire
from fishgate.errors import CardError
from fishgate.images import open_picture
from fishgate.model_card import CARD_FILE
from handlers.expert_handler import ExpertHandler
from tests.handlers.conftest import CONFIG
from tests.handlers.fake_torchserve import DIRECT, GRPC, WORKFLOW, FakeContext, Reply, Request
from tests.toys import certified, toy_expert, write_folder

WAYS_PAST_THE_WORKFLOW = {
    "predictions API": DIRECT,
    "explanations API": {**WORKFLOW, "explain": "True", "url_path": "x"},
    "gRPC": GRPC,
}
ACCEPT, DEFER = {"threshold": b"0"}, {"threshold": b"1"}


@pytest.fixture
def context(expert_folder: Path) -> FakeContext:
    return FakeContext(expert_folder, config=CONFIG)


@pytest.fixture
def handler(context: FakeContext) -> ExpertHandler:
    handler = ExpertHandler()
    handler.initialize(context)
    return handler


@pytest.fixture
def mixed(red_64x48_jpeg: bytes, green_48x64_png: bytes) -> list[dict[str, Any]]:
    """Good and bad requests, in turn."""
    return [
        {"body": red_64x48_jpeg},
        {"body": b""},
        {"data": green_48x64_png, "top_k": b"1"},
        {"data": b"no picture"},
        {"data": green_48x64_png, "top_k": b"none"},
        {"data": red_64x48_jpeg[:200]},
        {},
        {"image": bytearray(red_64x48_jpeg)},
    ]


CODES = [None, "empty_image", None, "unsupported_image", "invalid_option", "damaged_image", "empty_image", None]
STATUSES = [200, 400, 200, 415, 400, 422, 400, 200]


def test_a_direct_batch_of_good_and_bad_keeps_length_order_and_statuses(
    handler: ExpertHandler, context: FakeContext, mixed: list[dict[str, Any]]
) -> None:
    replies = context.batch(handler, *(Request(fields, dict(DIRECT)) for fields in mixed))
    singles = [context.batch(handler, Request(fields, dict(DIRECT)))[0] for fields in mixed]
    assert [reply.status for reply in replies] == STATUSES
    assert [reply.json.get("error", {}).get("code") for reply in replies] == CODES
    assert [best_label(reply) for reply in replies] == [best_label(reply) for reply in singles]
    assert {reply.headers["content-type"] for reply in replies} == {"application/json"}


def test_through_the_workflow_errors_travel_as_data(
    handler: ExpertHandler, context: FakeContext, mixed: list[dict[str, Any]]
) -> None:
    replies = context.batch(handler, *(Request(fields) for fields in mixed))
    assert {reply.status for reply in replies} == {200}
    assert [reply.json["error"]["status"] if "error" in reply.json else 200 for reply in replies] == STATUSES


@pytest.mark.parametrize("headers", WAYS_PAST_THE_WORKFLOW.values(), ids=WAYS_PAST_THE_WORKFLOW)
@pytest.mark.parametrize("option", [ACCEPT, DEFER], ids=["accepted", "deferred"])
def test_a_direct_request_gets_the_plain_opinion(
    handler: ExpertHandler,
    context: FakeContext,
    spooled: Path,
    red_64x48_jpeg: bytes,
    headers: dict[str, str],
    option: dict[str, bytes],
) -> None:
    reply = context.batch(handler, Request({"data": red_64x48_jpeg, **option}, dict(headers)))[0]
    opinion = wire.opinion_from_json(reply.body)
    assert (opinion.source.value, opinion.model, len(opinion.candidates)) == ("expert", "expert-1", 3)
    assert not spooled.exists()


def test_the_certainty_is_that_of_the_cards_rule(tmp_path: Path, red_64x48_jpeg: bytes) -> None:
    unsure = {"score": "max_softmax", "intercept": -50.0, "weights": {"log_odds": 1.0}}
    gate = {"threshold": 0.5, "evidence": "none, it is a toy", "rule": unsure}
    context, handler = (
        FakeContext(write_folder(tmp_path / "unsure", toy_expert(), gate=gate), config=CONFIG),
        ExpertHandler(),
    )
    handler.initialize(context)
    direct, handed_over = context.batch(
        handler, Request({"data": red_64x48_jpeg}, dict(DIRECT)), Request({"data": red_64x48_jpeg})
    )
    opinion = wire.opinion_from_json(direct.body)
    assert (opinion.certainty, opinion.best.confidence > 0.3) == (0.0, True)
    assert wire.hand_over_from_json(handed_over.body).picture is not None  # deferred


def test_a_header_in_capitals_is_seen(handler: ExpertHandler, context: FakeContext, red_64x48_jpeg: bytes) -> None:
    reply = context.batch(handler, Request({"data": red_64x48_jpeg}, {"Host": "x", "Explain": "False"}))[0]
    assert "candidates" in reply.json


def test_an_accepted_picture_is_handed_over_without_itself(
    handler: ExpertHandler, context: FakeContext, spooled: Path, red_64x48_jpeg: bytes
) -> None:
    reply = context.batch(handler, Request({"data": red_64x48_jpeg, **ACCEPT}))[0]
    hand_over = wire.hand_over_from_json(reply.body)
    assert hand_over.picture is None
    assert hand_over.options == {"top_k": "5", "threshold": "0.0"}
    assert not spooled.exists()


def test_a_deferred_picture_waits_in_the_spool_under_its_ticket(
    handler: ExpertHandler, context: FakeContext, spooled: Path, green_48x64_png: bytes
) -> None:
    reply = context.batch(handler, Request({"data": green_48x64_png, "labels": b'["Pike"]', "top_k": b"2"}))[0]
    hand_over = wire.hand_over_from_json(reply.body)
    assert [path.name for path in spooled.iterdir()] == [hand_over.picture]
    assert next(spooled.iterdir()).read_bytes() == green_48x64_png
    assert hand_over.options == {"top_k": "2", "labels": '["Pike"]'}
    assert green_48x64_png not in reply.body
    assert len(reply.body) < 1_000


def test_a_full_disk_does_not_lose_the_answer(
    handler: ExpertHandler, context: FakeContext, spooled: Path, red_64x48_jpeg: bytes
) -> None:
    spooled.write_text("a file where the folder should be")
    reply = context.batch(handler, Request({"data": red_64x48_jpeg, **DEFER}))[0]
    assert wire.hand_over_from_json(reply.body).picture is None


def test_a_pass_that_breaks_loses_only_the_culprit(
    handler: ExpertHandler,
    context: FakeContext,
    red_64x48_jpeg: bytes,
    green_48x64_png: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expert, examine = handler._expert, handler._expert.examine
    red = open_picture(red_64x48_jpeg).getpixel((0, 0))

    def breaking(batch: Any) -> Any:
        if any(tuple(pixels[0, 0]) == red for pixels in batch):
            raise RuntimeError("out of memory")
        return examine(batch)

    monkeypatch.setattr(expert, "examine", breaking)
    pictures = [green_48x64_png, red_64x48_jpeg, green_48x64_png]
    replies = context.batch(handler, *(Request({"data": picture}, dict(DIRECT)) for picture in pictures))
    assert [reply.status for reply in replies] == [200, 500, 200]


def test_the_work_is_measured(handler: ExpertHandler, context: FakeContext, mixed: list[dict[str, Any]]) -> None:
    context.batch(handler, *(Request(fields) for fields in mixed))
    confidences = [value for value, _ in context.metrics.values("fishgate_expert_confidence")]
    doubts = [value for value, _ in context.metrics.values("fishgate_expert_doubt")]
    assert context.metrics.values("fishgate_batches_total") == [(1, {"model": "expert", "size": "3"})]
    counted = {labels["code"]: amount for amount, labels in context.metrics.values("fishgate_errors_total")}
    assert counted == Counter(code for code in CODES if code)
    assert [a + b for a, b in zip(confidences, doubts, strict=True)] == pytest.approx([1.0] * 3)


def test_a_worker_with_a_wrong_archive_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="scripts/build_archives"):
        ExpertHandler().initialize(FakeContext(tmp_path))


def test_a_worker_with_a_certificate_of_another_model_does_not_start(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "archive", toy_expert())
    card = certified(json.loads((folder / CARD_FILE).read_text()))
    (folder / CARD_FILE).write_text(json.dumps({**card, "temperature": 1.2}))
    with pytest.raises(CardError, match="run training/certify again"):
        ExpertHandler().initialize(FakeContext(folder, config=CONFIG))


def best_label(reply: Reply) -> str | None:
    """The best label of a plain opinion; None for an error."""
    return reply.json["candidates"][0]["label"] if "candidates" in reply.json else None
