"""A TorchServe client is answered by the cascade, and its errors have true codes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from fishgate.answer import Answer
from fishgate.errors import DamagedImage, FishgateError, InternalError, Overloaded, TimedOut
from fishgate.options import Options
from gateway.gathering import WaitingRoomFull
from gateway.keys import add_key
from gateway.rpc.generated.inference_pb2 import PredictionsRequest
from gateway.rpc.inference import MAX_MESSAGE_BYTES, NAME
from tests.gateway.rpc_door import ANSWER, LIMIT_S, RpcDoor, ToldEngine, rpc_door, stub_for

PICTURE = b"a picture that nobody looks at here"
REQUEST = PredictionsRequest(model_name="fish", input={"data": PICTURE})


@pytest.fixture
def door(tmp_path: Path) -> Iterator[RpcDoor]:
    with rpc_door(tmp_path) as door:
        yield door


@pytest.fixture
def stub(door: RpcDoor) -> Iterator[Any]:
    with stub_for(door) as stub:
        yield stub


def refused(stub: Any, request: PredictionsRequest = REQUEST, **options: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predictions(request, **{"timeout": LIMIT_S, **options})
    return caught.value


def test_the_prediction_is_the_answer(door: RpcDoor, stub: Any) -> None:
    request = PredictionsRequest(model_name="fish", input={"data": PICTURE, "top_k": b"3"})
    reply = stub.Predictions(request, timeout=LIMIT_S)
    assert Answer.model_validate_json(reply.prediction) == ANSWER
    assert reply.prediction == ANSWER.model_dump_json().encode()
    assert door.engine.asked[0]["picture"] == PICTURE
    assert door.engine.asked[0]["options"] == Options(top_k=3)


def test_a_stream_has_one_reply(stub: Any) -> None:
    replies = list(stub.StreamPredictions(REQUEST, timeout=LIMIT_S))
    assert [reply.prediction for reply in replies] == [ANSWER.model_dump_json().encode()]


def test_a_stream_ends_with_its_error(door: RpcDoor, stub: Any) -> None:
    door.engine.result = DamagedImage("cut off")
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.StreamPredictions(REQUEST, timeout=LIMIT_S))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("error", "code", "details"),
    [
        (DamagedImage("cut off"), grpc.StatusCode.INVALID_ARGUMENT, "damaged_image: cut off"),
        (WaitingRoomFull("full"), grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded: full"),
        (Overloaded("not there"), grpc.StatusCode.UNAVAILABLE, "overloaded: not there"),
        (TimedOut("late"), grpc.StatusCode.DEADLINE_EXCEEDED, "timed_out: late"),
        (InternalError("broken"), grpc.StatusCode.INTERNAL, "internal: broken"),
        (ValueError("a secret"), grpc.StatusCode.INTERNAL, "internal: the gateway failed (ValueError)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_of_the_engine_becomes_a_status(
    door: RpcDoor, stub: Any, error: Exception, code: grpc.StatusCode, details: str
) -> None:
    door.engine.result = error
    told = refused(stub)
    assert (told.code(), told.details()) == (code, details)
    word = error.code if isinstance(error, FishgateError) else "internal"
    assert dict(told.trailing_metadata())["fishgate-code"] == word


def test_another_model_is_not_found(door: RpcDoor, stub: Any) -> None:
    told = refused(stub, PredictionsRequest(model_name="zero_shot", input={"data": PICTURE}))
    assert (told.code(), dict(told.trailing_metadata())["fishgate-code"]) == (grpc.StatusCode.NOT_FOUND, "not_found")
    assert "ask 'fish'" in told.details()
    assert door.engine.asked == []


def test_a_message_that_is_too_large_is_refused(door: RpcDoor) -> None:
    request = PredictionsRequest(model_name="fish", input={"data": bytes(MAX_MESSAGE_BYTES)})
    with stub_for(door, max_bytes=2 * MAX_MESSAGE_BYTES) as stub:
        assert refused(stub, request).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert stub.Predictions(REQUEST, timeout=LIMIT_S).prediction


def test_a_message_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    with rpc_door(tmp_path, body_limit_s=0.2) as door, grpc.insecure_channel(f"127.0.0.1:{door.port}") as channel:
        # As a stream, so that the call can begin without its message.
        predictions = channel.stream_unary(f"/{NAME}/Predictions", PredictionsRequest.SerializeToString, bytes)
        call = predictions.future(iter(door.engine.has_begun.wait, None), timeout=LIMIT_S)
        told = call.exception()
        door.engine.has_begun.set()  # the client's thread ends
        assert (told.code(), door.engine.asked) == (grpc.StatusCode.DEADLINE_EXCEEDED, [])
        assert told.details() == "request_timeout: the message did not come within 0.2 s"


def test_the_client_may_ask_for_less_time_than_there_is(door: RpcDoor, stub: Any) -> None:
    before_s = time.monotonic()
    stub.Predictions(REQUEST, timeout=5.0)
    stub.Predictions(REQUEST, timeout=600.0)
    stub.Predictions(REQUEST)
    after_s = time.monotonic()
    limits_s = [asked["deadline_s"] for asked in door.engine.asked]
    assert limits_s[0] <= after_s + 5.0
    for own_s in limits_s[1:]:
        assert before_s + 30.0 <= own_s <= after_s + 30.0


def test_who_gives_up_frees_the_place(tmp_path: Path) -> None:
    with rpc_door(tmp_path, ToldEngine(is_slow=True)) as door, stub_for(door) as stub:
        call = stub.Predictions.future(REQUEST, timeout=LIMIT_S)
        assert door.engine.has_begun.wait(LIMIT_S)
        call.cancel()
        assert door.engine.was_cancelled.wait(LIMIT_S)
        line = door.log_lines()[0]
    assert (line["status"], line["code"]) == (499, "hung_up")
    assert (door.entrance.places.taken, door.entrance.places.bytes_held) == (0, 0)


def test_a_client_whose_time_is_up_is_told_apart(tmp_path: Path) -> None:
    with rpc_door(tmp_path, ToldEngine(is_slow=True)) as door, stub_for(door) as stub:
        assert refused(stub, timeout=0.5).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert door.engine.was_cancelled.wait(LIMIT_S)
        line = door.log_lines()[0]
    assert (line["status"], line["code"]) == (504, "timed_out")


def test_beyond_the_places_one_is_told_when_to_come_again(tmp_path: Path) -> None:
    engine = ToldEngine(is_slow=True)
    with rpc_door(tmp_path, engine, pictures_at_once=1, pictures_waiting=0) as door, stub_for(door) as stub:
        first = stub.Predictions.future(REQUEST, timeout=LIMIT_S)
        assert engine.has_begun.wait(LIMIT_S)
        told = refused(stub)
        door.call_soon(engine.may_go.set)
        assert first.result().prediction
    assert (told.code(), dict(told.trailing_metadata())["fishgate-code"]) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "overloaded",
    )


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
def test_the_key_may_stand_in_both_places(tmp_path: Path, name: str) -> None:
    secret = add_key(tmp_path / "api_keys.json", "boat")
    with rpc_door(tmp_path, keys_required=True) as door, stub_for(door) as stub:
        value = f"Bearer {secret}" if name == "authorization" else secret
        assert stub.Predictions(REQUEST, metadata=((name, value),), timeout=LIMIT_S).prediction
        assert door.log_lines()[0]["key"] == "boat"


@pytest.mark.parametrize(
    "metadata", [(), (("authorization", "Bearer wrong"),), (("x-api-key", "wrong"),)], ids=["none", "bearer", "own"]
)
def test_who_has_no_key_is_told_so_before_the_picture_is_read(tmp_path: Path, metadata: Any) -> None:
    add_key(tmp_path / "api_keys.json", "boat")
    with rpc_door(tmp_path, keys_required=True) as door, stub_for(door) as stub:
        told = refused(stub, metadata=metadata)
        line = door.log_lines()[0]
    assert told.code() is grpc.StatusCode.UNAUTHENTICATED
    assert (line["status"], line["code"], line["bytes_in"]) == (401, "unauthorised", 0)


def test_a_key_that_asks_too_often_is_told_so(tmp_path: Path) -> None:
    secret = add_key(tmp_path / "api_keys.json", "boat", rate_per_s=0.001)
    key = (("x-api-key", secret),)
    with rpc_door(tmp_path, keys_required=True) as door, stub_for(door) as stub:
        assert stub.Predictions(REQUEST, metadata=key, timeout=LIMIT_S).prediction
        told = refused(stub, metadata=key)
    assert told.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(told.trailing_metadata())["fishgate-code"] == "rate_limited"


def test_id_and_trace_go_through(door: RpcDoor, stub: Any) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = (("x-request-id", "trip-7"), ("traceparent", trace))
    _, call = stub.Predictions.with_call(REQUEST, metadata=sent, timeout=LIMIT_S)
    got = dict(call.trailing_metadata())
    assert got["x-request-id"] == door.engine.asked[0]["id"] == "trip-7"
    assert got["traceparent"].split("-")[1] == trace.split("-")[1]
    assert got["traceparent"] != trace


def test_a_call_stands_in_log_and_figures(door: RpcDoor, stub: Any) -> None:
    stub.Predictions(REQUEST, timeout=LIMIT_S)
    stub.Ping(Empty(), timeout=LIMIT_S)
    figures = door.metrics.text().decode()
    lines = door.log_lines()
    path = f"/{NAME}/Predictions"
    assert f'request_seconds_count{{code="ok",deferred="false",route="{path}",source="expert"}} 1.0' in figures
    assert 'answers_total{outcome="accepted",source="expert"} 1.0' in figures
    assert [line["path"] for line in lines] == [path, f"/{NAME}/Ping"]
    told = lines[0]
    assert (told["door"], told["status"], told["code"], told["client"]) == ("grpc", 200, "ok", "127.0.0.1")
    assert (told["bytes_in"], told["source"]) == (REQUEST.ByteSize(), "expert")
    assert PICTURE.decode() not in str(lines)
