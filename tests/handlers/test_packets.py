"""Workers take packets beside ordinary requests, and answer each picture as if it had come alone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from fishgate import packet, wire
from fishgate.errors import FishgateError
from fishgate.packet import PackedPicture
from handlers.expert_handler import ExpertHandler
from handlers.zero_shot_handler import ZeroShotHandler
from tests.handlers.conftest import CONFIG
from tests.handlers.fake_torchserve import DIRECT, GRPC, WORKFLOW, FakeContext, Reply, Request
from tests.lists import write_lake

KINDS = {"expert": ExpertHandler, "zero_shot": ZeroShotHandler}
Worker = tuple[Any, FakeContext]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def start(kind: str, folder: Path, **settings: int) -> Worker:
    handler: Any = KINDS[kind]()
    context = FakeContext(folder, config={"fishgate": {**CONFIG["fishgate"], **settings}})
    handler.initialize(context)
    return handler, context


@pytest.fixture
def folder(kind: str, request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(f"{kind}_folder"))


@pytest.fixture
def worker(kind: str, folder: Path) -> Worker:
    return start(kind, folder)


def send(worker: Worker, *bodies: bytes | dict[str, Any], headers: dict[str, str] = DIRECT) -> list[Reply]:
    handler, context = worker
    rows = [body if isinstance(body, dict) else {"body": bytearray(body)} for body in bodies]
    return context.batch(handler, *(Request(fields, dict(headers)) for fields in rows))


def codes(reply: Reply, pictures: int) -> list[str]:
    """What became of each picture of a packet: an error's code, or ``ok``."""
    results = packet.read_replies(reply.body, pictures=pictures)
    return [one.code if isinstance(one, FishgateError) else "ok" for one in results]


def test_a_packet_of_good_and_bad_gets_a_result_each(
    worker: Worker, red_64x48_jpeg: bytes, green_48x64_png: bytes
) -> None:
    pictures = [
        PackedPicture(red_64x48_jpeg, {}),
        PackedPicture(b"", {}),
        PackedPicture(green_48x64_png, {"top_k": "1"}),
        PackedPicture(b"no picture", {}),
        PackedPicture(green_48x64_png, {"top_k": "none"}),
        PackedPicture(red_64x48_jpeg[:200], {}),
        PackedPicture(green_48x64_png, {"species_list": "sea"}),
        PackedPicture(red_64x48_jpeg, {}, time.time() - 1.0),
        PackedPicture(red_64x48_jpeg, {}, time.time() + 3600.0),
    ]
    (reply,) = send(worker, packet.write_packet(pictures))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert codes(reply, 9) == [
        "ok",
        "empty_image",
        "ok",
        "unsupported_image",
        "invalid_option",
        "damaged_image",
        "invalid_option",
        "timed_out",
        "ok",
    ]


def test_a_picture_in_a_packet_gets_the_bytes_that_it_gets_alone(
    worker: Worker, red_64x48_jpeg: bytes, green_48x64_png: bytes
) -> None:
    singles = send(worker, {"data": red_64x48_jpeg, "top_k": b"2"}) + send(worker, {"data": green_48x64_png})
    (reply,) = send(
        worker,
        packet.write_packet([PackedPicture(red_64x48_jpeg, {"top_k": "2"}), PackedPicture(green_48x64_png, {})]),
    )
    # Batches of other sizes may differ in the last digits of a float.
    assert [rounded(one) for one in json.loads(reply.body)] == [rounded(single.json) for single in singles]


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def test_packets_and_single_requests_share_a_batch(
    worker: Worker, red_64x48_jpeg: bytes, green_48x64_png: bytes
) -> None:
    one, two = PackedPicture(red_64x48_jpeg, {}), PackedPicture(green_48x64_png, {})
    replies = send(
        worker,
        {"data": red_64x48_jpeg},
        packet.write_packet([one, two, one]),
        {"body": b"no picture"},
        packet.write_describe(),
        packet.write_packet([two]),
        b"FGP1 cut off",
    )
    assert [reply.status for reply in replies] == [200, 200, 415, 200, 200, 400]
    assert (codes(replies[1], 3), codes(replies[4], 1)) == (["ok"] * 3, ["ok"])
    first, second = (packet.read_replies(replies[index].body, pictures=count) for index, count in ((1, 3), (4, 1)))
    assert first[0] == first[2] == wire.opinion_from_json(replies[0].body)
    assert first[1] == second[0] != first[0]
    assert replies[5].json["error"]["code"] == "invalid_option"


def test_a_packet_is_computed_in_passes(kind: str, folder: Path, red_64x48_jpeg: bytes) -> None:
    worker = start(kind, folder, pictures_at_once=3)
    (reply,) = send(worker, packet.write_packet([PackedPicture(red_64x48_jpeg, {})] * 8))
    assert codes(reply, 8) == ["ok"] * 8
    assert worker[1].metrics.values("fishgate_batches_total") == [
        (2, {"model": kind, "size": "3"}),
        (1, {"model": kind, "size": "2"}),
    ]


def test_the_confidence_is_measured_of_single_requests_only(expert_folder: Path, red_64x48_jpeg: bytes) -> None:
    worker = start("expert", expert_folder)
    send(worker, packet.write_packet([PackedPicture(red_64x48_jpeg, {})] * 2))
    assert worker[1].metrics.values("fishgate_expert_confidence") == []
    send(worker, {"data": red_64x48_jpeg})
    assert len(worker[1].metrics.values("fishgate_expert_confidence")) == 1


def test_a_batch_of_single_requests_stays_one_pass(kind: str, folder: Path, red_64x48_jpeg: bytes) -> None:
    worker = start(kind, folder, pictures_at_once=3)
    send(worker, *[{"data": red_64x48_jpeg}] * 5)
    assert [labels["size"] for _, labels in worker[1].metrics.values("fishgate_batches_total")] == ["5"]


def test_a_late_picture_is_not_decoded(worker: Worker, red_64x48_jpeg: bytes) -> None:
    (reply,) = send(worker, packet.write_packet([PackedPicture(red_64x48_jpeg, {}, 1.0)] * 3))
    assert codes(reply, 3) == ["timed_out"] * 3
    assert [labels["size"] for _, labels in worker[1].metrics.values("fishgate_batches_total")] == ["0"]


def test_a_worker_describes_itself(kind: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = tmp_path / "species_lists"
    if kind == "expert":  # zero-shot wants embeddings too, which test_species_lists makes
        write_lake(lists)
        monkeypatch.setenv("FISHGATE_SPECIES_LISTS", str(lists))
    worker = start(kind, folder, pictures_at_once=5)
    (reply,) = send(worker, packet.write_describe())
    description = packet.read_description(reply.body)
    assert (reply.status, description.card.kind.value, description.card.version) == (200, kind, f"{kind}-1")
    assert description.card.taxa[0].order == "Cichliformes"
    assert description.species_lists == (("lake",) if kind == "expert" else ())
    assert description.pictures_at_once == 5


def test_a_packet_over_grpc_is_taken(worker: Worker, red_64x48_jpeg: bytes) -> None:
    (reply,) = send(worker, packet.write_packet([PackedPicture(red_64x48_jpeg, {})]), headers=GRPC)
    assert codes(reply, 1) == ["ok"]


def test_a_packet_through_the_workflow_is_refused(
    worker: Worker, kind: str, red_64x48_jpeg: bytes, spooled: Path
) -> None:
    body = packet.write_packet([PackedPicture(red_64x48_jpeg, {"threshold": "1"})])
    (reply,) = send(worker, body, headers=WORKFLOW)
    assert reply.status == (200 if kind == "expert" else 400)  # an error of a node travels as data
    assert reply.json["error"]["code"] == "invalid_option"
    assert "send packets to the model itself" in reply.json["error"]["message"]
    assert not spooled.exists()


def test_a_packet_among_other_fields_is_a_picture_that_is_none(worker: Worker) -> None:
    body = packet.write_packet([PackedPicture(b"x", {})])
    replies = send(worker, {"data": body}, {"body": body, "top_k": b"1"})
    assert [reply.json["error"]["code"] for reply in replies] == ["unsupported_image"] * 2


def test_a_pass_that_breaks_loses_only_the_culprit_and_says_whose_it_was(
    worker: Worker,
    kind: str,
    red_64x48_jpeg: bytes,
    green_48x64_png: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = worker[0]._expert if kind == "expert" else worker[0]._zero_shot
    name = "examine" if kind == "expert" else "predict"
    real = getattr(model, name)

    def breaking(batch: Any, *more: Any) -> Any:
        if any(pixels[0, 0, 0] > 200 for pixels in batch):  # the red one
            raise RuntimeError("out of memory")
        return real(batch, *more)

    monkeypatch.setattr(model, name, breaking)
    good = PackedPicture(green_48x64_png, {}, request_id="good")
    bad = PackedPicture(red_64x48_jpeg, {}, request_id="bad", traceparent="00-11-22-01")
    (reply,) = send(worker, packet.write_packet([good, bad, good]))
    assert codes(reply, 3) == ["ok", "internal", "ok"]
    assert "the failure was in request bad, trace 00-11-22-01" in caplog.text
    assert "request good" not in caplog.text


def test_only_a_workflow_waits_for_its_executor(
    kind: str, folder: Path, red_64x48_jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = start(kind, folder, least_ms=60_000)
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    send(worker, packet.write_packet([PackedPicture(red_64x48_jpeg, {})]))
    send(worker, {"data": red_64x48_jpeg})
    assert slept == []
    send(worker, {"data": red_64x48_jpeg}, headers=WORKFLOW)
    assert len(slept) == 1
