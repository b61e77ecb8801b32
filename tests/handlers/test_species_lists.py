"""A request picks a species list: the expert refuses an unknown one, zero-shot answers from a known one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fishgate import wire
from fishgate.errors import ListError
from fishgate.model_card import Kind, read_card
from fishgate.spool import Spool
from handlers.expert_handler import ExpertHandler
from handlers.zero_shot_handler import ZeroShotHandler
from tests.fishgate.opinions import expert_opinion, zero_shot_opinion
from tests.handlers.conftest import CONFIG, MakeRouter
from tests.handlers.fake_torchserve import DIRECT, FakeContext, Request
from tests.handlers.rounds import PICTURE, answers
from tests.handlers.zero_shot_stand_in import running, says
from tests.lists import LAKE_LABELS, write_lake, write_lake_for

LAKE = {"species_list": b"lake"}


@pytest.fixture
def lists(tmp_path: Path, zero_shot_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the toy list, of which the workers are told as the server tells them."""
    folder = tmp_path / "species_lists"
    write_lake_for(folder, read_card(zero_shot_folder, kind=Kind.ZERO_SHOT))
    monkeypatch.setenv("FISHGATE_SPECIES_LISTS", str(folder))
    return folder


def expert(folder: Path) -> tuple[ExpertHandler, FakeContext]:
    handler, context = ExpertHandler(), FakeContext(folder, config=CONFIG)
    handler.initialize(context)
    return handler, context


def zero_shot(folder: Path) -> tuple[ZeroShotHandler, FakeContext]:
    handler, context = ZeroShotHandler(), FakeContext(folder, config=CONFIG)
    handler.initialize(context)
    return handler, context


def test_zero_shot_chooses_among_the_list(lists: Path, zero_shot_folder: Path, red_64x48_jpeg: bytes) -> None:
    handler, context = zero_shot(zero_shot_folder)
    reply = context.batch(handler, Request({"data": red_64x48_jpeg, **LAKE}, dict(DIRECT)))[0]
    opinion = wire.opinion_from_json(reply.body)
    assert {candidate.label for candidate in opinion.candidates} == set(LAKE_LABELS)
    assert {mass.label for mass in opinion.masses} & {"Cichlidae", "Esocidae", "Percidae"}


def test_a_batch_mixes_lists_labels_and_errors(lists: Path, zero_shot_folder: Path, red_64x48_jpeg: bytes) -> None:
    handler, context = zero_shot(zero_shot_folder)
    rows: list[dict[str, Any]] = [
        {"data": red_64x48_jpeg, **LAKE, "top_k": b"1"},
        {"data": red_64x48_jpeg, "species_list": b"sea"},
        {"data": red_64x48_jpeg, "labels": b'["Pike"]', **LAKE},
        {"data": red_64x48_jpeg, "labels": b'["Pike"]'},
        {"data": red_64x48_jpeg},
    ]
    replies = context.batch(handler, *(Request(fields, dict(DIRECT)) for fields in rows))
    assert [reply.status for reply in replies] == [200, 400, 400, 200, 200]
    assert [len(replies[index].json["candidates"]) for index in (0, 3, 4)] == [1, 1, 3]


def test_the_expert_refuses_an_unknown_list(lists: Path, expert_folder: Path, red_64x48_jpeg: bytes) -> None:
    handler, context = expert(expert_folder)
    fields = {"data": red_64x48_jpeg, "species_list": b"sea"}
    direct, through_workflow = context.batch(handler, Request(fields, dict(DIRECT)), Request(fields))
    assert (direct.status, through_workflow.status) == (400, 200)
    for reply in (direct, through_workflow):
        assert reply.json["error"]["code"] == "invalid_option"
        assert reply.json["error"]["message"] == "unknown species_list 'sea'; allowed: lake"


def test_a_server_without_lists_refuses_any(expert_folder: Path, red_64x48_jpeg: bytes) -> None:
    handler, context = expert(expert_folder)
    reply = context.batch(handler, Request({"data": red_64x48_jpeg, **LAKE}, dict(DIRECT)))[0]
    assert reply.json["error"]["message"] == "unknown species_list 'lake'; this server has no lists"


def test_the_expert_lays_down_the_picture_when_its_name_is_not_on_the_list(
    lists: Path, expert_folder: Path, spooled: Path, red_64x48_jpeg: bytes
) -> None:
    write_lake(
        lists, "catch", "label,scientific_name\nTilapia,Oreochromis niloticus\nGourami,Trichopodus\nMystery fish,\n"
    )
    write_lake(lists, "other", "label\nPike\n")
    handler, context = expert(expert_folder)
    sure = {"data": red_64x48_jpeg, "threshold": b"0"}
    on_list, not_on_list = context.batch(
        handler, Request({**sure, "species_list": b"catch"}), Request({**sure, "species_list": b"other"})
    )
    assert on_list.json["picture"] is None
    assert (spooled / not_on_list.json["picture"]).is_file()


@pytest.mark.parametrize(("text", "source"), [("label\nTilapia\n", "expert"), ("label\nPike\n", "zero_shot")])
def test_the_router_decides_by_the_same_list(
    make_router: MakeRouter, lists: Path, spooled: Path, text: str, source: str
) -> None:
    write_lake(lists, text=text)
    ticket = Spool(spooled).put(PICTURE)
    hand_over = wire.HandOver(opinion=expert_opinion(0.93), options={"species_list": "lake"}, picture=ticket)
    with running(says(wire.reply(zero_shot_opinion()))) as server:
        handler, context = make_router(server.url)
        answer = answers(handler, context, [Request({"body": wire.reply(hand_over)})])[0].json
    assert answer["source"] == source
    assert [b'name="species_list"' in body for _, _, body in server.requests] == [True] * (source == "zero_shot")


def test_a_worker_does_not_start_with_embeddings_of_another_model(lists: Path, zero_shot_folder: Path) -> None:
    for path in lists.glob("*.json"):
        path.unlink()
    with pytest.raises(ListError, match="the list 'lake' has no embeddings for these weights"):
        zero_shot(zero_shot_folder)
