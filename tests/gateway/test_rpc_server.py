"""The gRPC door as a whole: ready or not, found by tools, and gone without a loss."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from fishgate.errors import SettingError
from gateway.rpc.caller import caller_from
from gateway.rpc.generated.inference_pb2 import PredictionsRequest
from gateway.rpc.inference import NAME
from gateway.rpc.server import RpcServer
from gateway.spans import NoSpans
from tests.gateway.rpc_door import LIMIT_S, RpcDoor, ToldEngine, rpc_door, stub_for

REQUEST = PredictionsRequest(model_name="fish", input={"data": b"a picture"})
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", NAME])
def test_health_follows_readiness(tmp_path: Path, service: str) -> None:
    engine = ToldEngine(is_awake=False)
    with rpc_door(tmp_path, engine) as door, grpc.insecure_channel(f"127.0.0.1:{door.port}") as channel:
        watching = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=service), timeout=LIMIT_S
        )
        assert next(watching).status == NOT_SERVING
        engine.is_awake = True
        assert next(watching).status == SERVING
        engine.is_awake = False
        door.call_soon(door.readiness.doubt)
        assert next(watching).status == NOT_SERVING


def test_health_is_the_first_to_tell_that_the_gateway_ends(tmp_path: Path) -> None:
    with rpc_door(tmp_path) as door, grpc.insecure_channel(f"127.0.0.1:{door.port}") as channel:
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=LIMIT_S)
        while next(watching).status != SERVING:
            pass
        door.call_soon(door.entrance.draining.announce)
        assert next(watching).status == NOT_SERVING
        with stub_for(door) as stub:
            assert stub.Ping(Empty(), timeout=LIMIT_S).health == '{\n  "status": "Healthy"\n}'


def test_ping_says_what_torchserve_says(tmp_path: Path) -> None:
    engine = ToldEngine(is_awake=False)
    with rpc_door(tmp_path, engine) as door, stub_for(door) as stub:
        assert stub.Ping(Empty(), timeout=LIMIT_S).health == '{\n  "status": "Unhealthy"\n}'
        engine.is_awake = True
        door.run(asyncio.wait_for(door.readiness.ready(), LIMIT_S))
        assert stub.Ping(Empty(), timeout=LIMIT_S).health == '{\n  "status": "Healthy"\n}'


def test_tools_find_the_service_by_reflection(tmp_path: Path) -> None:
    with rpc_door(tmp_path) as door, grpc.insecure_channel(f"127.0.0.1:{door.port}") as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert NAME in database.get_services()
        service = DescriptorPool(database).FindServiceByName(NAME)
        assert [method.name for method in service.methods] == ["Ping", "Predictions", "StreamPredictions"]


def test_what_is_in_flight_is_finished_and_nothing_new_is_begun(tmp_path: Path) -> None:
    engine = ToldEngine(is_slow=True)
    with rpc_door(tmp_path, engine) as door, stub_for(door) as stub:
        first = stub.Predictions.future(REQUEST, timeout=LIMIT_S)
        assert engine.has_begun.wait(LIMIT_S)
        door.call_soon(door.entrance.draining.begin)
        with pytest.raises(grpc.RpcError, match="shutting down") as caught:
            stub.Predictions(REQUEST, timeout=LIMIT_S)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        with ThreadPoolExecutor(1) as pool:
            stopping = pool.submit(door.run, door.server.stop(LIMIT_S))
            door.call_soon(engine.may_go.set)
            assert first.result().prediction
            stopping.result()


def test_what_takes_too_long_is_broken_off(tmp_path: Path) -> None:
    engine = ToldEngine(is_slow=True)
    with rpc_door(tmp_path, engine) as door, stub_for(door) as stub:
        call = stub.Predictions.future(REQUEST, timeout=LIMIT_S)
        assert engine.has_begun.wait(LIMIT_S)
        door.run(door.server.stop(0.1))
        assert call.exception().code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        assert engine.was_cancelled.wait(LIMIT_S)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with rpc_door(tmp_path) as door:
        second = RpcDoor(door.settings.model_copy(update={"grpc_port": door.port}), ToldEngine())
        with pytest.raises(SettingError, match=f"cannot listen on port {door.port} of 127.0.0.1"):
            second.start()


def test_stopping_twice_or_before_the_start_does_nothing(tmp_path: Path) -> None:
    with rpc_door(tmp_path) as door:
        door.run(door.server.stop(0.0))
        door.run(door.server.stop(0.0))

        async def made_and_stopped() -> None:
            await RpcServer(door.service, log=door.log, spans=NoSpans()).stop(0.0)

        door.run(made_and_stopped())


@pytest.mark.parametrize(
    ("metadata", "secret"),
    [
        ([("authorization", "Bearer one"), ("x-api-key", "two")], "one"),
        ([("authorization", "Basic abc"), ("x-api-key", "two")], "two"),
        ([("authorization", "bearer  one ")], "one"),
        ([("authorization", "Bearer ")], None),
        ([("x-api-key", "first"), ("x-api-key", "second")], "first"),
        ([("x-api-key-bin", b"\xff")], None),
        ([], None),
    ],
)
def test_the_key_is_found(metadata: Any, secret: str | None) -> None:
    assert caller_from(metadata, "ipv4:127.0.0.1:5000").secret == secret


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:10.0.0.7:5000", "10.0.0.7"), ("ipv6:%5B::1%5D:5000", "::1"), ("unix:/tmp/socket", None), ("", None)],
)
def test_the_address_is_read(peer: str, address: str | None) -> None:
    assert caller_from([], peer).address == address
