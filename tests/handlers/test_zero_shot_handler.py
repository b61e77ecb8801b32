"""Zero-shot's worker answers each picture over its own candidates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fishgate import wire
from fishgate.errors import CardError
from handlers.zero_shot_handler import ZeroShotHandler
from tests.handlers.conftest import CONFIG
from tests.handlers.fake_torchserve import DIRECT, FakeContext, Request


@pytest.fixture
def context(zero_shot_folder: Path) -> FakeContext:
    return FakeContext(zero_shot_folder, config=CONFIG)


@pytest.fixture
def handler(context: FakeContext) -> ZeroShotHandler:
    handler = ZeroShotHandler()
    handler.initialize(context)
    return handler


def test_a_batch_of_good_and_bad_keeps_length_order_and_statuses(
    handler: ZeroShotHandler, context: FakeContext, red_64x48_jpeg: bytes, green_48x64_png: bytes
) -> None:
    rows: list[dict[str, Any]] = [
        {"data": red_64x48_jpeg, "labels": b'["Pike", "Zander"]'},
        {"data": b"no picture"},
        {"data": green_48x64_png, "labels": b"Pike"},
        {"data": green_48x64_png, "labels": b'["Eel"]'},
        {"body": red_64x48_jpeg, "top_k": b"1"},
        {"data": red_64x48_jpeg, "image": red_64x48_jpeg},
    ]
    replies = context.batch(handler, *(Request(fields, dict(DIRECT)) for fields in rows))
    assert [reply.status for reply in replies] == [200, 415, 400, 200, 200, 400]
    opinions = [wire.opinion_from_json(replies[index].body) for index in (0, 3, 4)]
    assert {candidate.label for candidate in opinions[0].candidates} == {"Pike", "Zander"}
    assert [candidate.label for candidate in opinions[1].candidates] == ["Eel"]
    assert len(opinions[2].candidates) == 1
    assert {reply.headers["content-type"] for reply in replies} == {"application/json"}


def test_an_opinion_is_zero_shots_over_the_cards_labels(
    handler: ZeroShotHandler, context: FakeContext, red_64x48_jpeg: bytes
) -> None:
    opinion = wire.opinion_from_json(context.batch(handler, Request({"body": red_64x48_jpeg}, dict(DIRECT)))[0].body)
    assert (opinion.source.value, opinion.model, opinion.threshold) == ("zero_shot", "zero_shot-1", 0.5)
    assert {candidate.label for candidate in opinion.candidates} == {"Tilapia", "Gourami", "Mystery fish"}


def test_a_client_label_that_the_card_knows_comes_with_its_taxon(
    handler: ZeroShotHandler, context: FakeContext, red_64x48_jpeg: bytes
) -> None:
    fields = {"data": red_64x48_jpeg, "labels": b'["tilapia"]'}
    best = context.batch(handler, Request(fields, dict(DIRECT)))[0].json["candidates"][0]
    assert best == {
        "label": "tilapia",
        "scientific_name": "Oreochromis niloticus",
        "rank": "species",
        "confidence": 1.0,
    }


def test_the_work_is_measured(handler: ZeroShotHandler, context: FakeContext, red_64x48_jpeg: bytes) -> None:
    context.batch(handler, Request({"data": red_64x48_jpeg}), Request({"data": b"no picture"}))
    assert context.metrics.values("fishgate_batches_total") == [(1, {"model": "zero_shot", "size": "1"})]
    assert context.metrics.values("fishgate_errors_total") == [(1, {"model": "zero_shot", "code": "unsupported_image"})]
    assert {labels["stage"] for _, labels in context.metrics.values("fishgate_stage_seconds")} == {"decode", "forward"}


def test_a_worker_with_the_experts_archive_does_not_start(expert_folder: Path) -> None:
    with pytest.raises(CardError, match="is of kind 'expert', this worker needs 'zero_shot'"):
        ZeroShotHandler().initialize(FakeContext(expert_folder))
