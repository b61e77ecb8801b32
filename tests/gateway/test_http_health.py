"""``/livez``, ``/readyz`` and ``/metrics``, and what makes the gateway ready or not."""

from __future__ import annotations

import asyncio

import pytest
import requests

from fishgate.errors import FishgateError, InternalError, Overloaded, TimedOut
from gateway import readiness
from gateway.readiness import Readiness
from tests.gateway.conftest import OpenDoor, drawn
from tests.gateway.fake_engine import FakeEngine


def test_it_is_alive_before_it_is_ready(opened: OpenDoor) -> None:
    engine = FakeEngine(probe_fails=Overloaded("zero_shot is not there"))
    door = opened(engine=engine)
    door.until(lambda: len(engine.probes) >= 2)
    assert door.get("/livez").json() == {"status": "alive"}
    reply = door.get("/readyz")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
    assert reply.json()["error"]["message"] == "not ready: zero_shot is not there"
    engine.probe_fails = None
    door.do(door.readiness.ready())
    assert (door.get("/readyz").status_code, door.get("/readyz").json()) == (200, {"status": "ready"})


def test_it_is_ready_only_after_a_picture_went_through_both_models(opened: OpenDoor) -> None:
    door = opened()
    door.do(door.readiness.ready())
    assert door.engine.probes[0] is False  # not only the expert


@pytest.mark.parametrize("error", [Overloaded("gone"), InternalError("broken"), TimedOut("late")])
def test_requests_that_fail_make_it_look_again(opened: OpenDoor, error: FishgateError) -> None:
    door = opened()
    door.do(door.readiness.ready())
    tried = len(door.engine.probes)
    door.engine.fail = door.engine.probe_fails = error
    door.post(drawn())
    door.until(lambda: not door.readiness.is_ready)
    assert door.get("/readyz").status_code == 503
    assert set(door.engine.probes[tried:]) == {True}  # without zero-shot answers are degraded, but there are some
    door.engine.fail = door.engine.probe_fails = None
    door.do(door.readiness.ready())


def test_a_client_cannot_make_it_unready(opened: OpenDoor) -> None:
    door = opened()
    door.do(door.readiness.ready())
    door.hold()
    for _ in range(3):
        assert door.post(drawn(), headers={"X-Deadline-Ms": "1"}).status_code == 504
    door.post(b"no picture")
    door.until(lambda: len(door.engine.probes) >= 2)
    assert door.readiness.is_ready


def test_when_nobody_asks_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "LOOK_EVERY_S", 0.02)

    async def work() -> None:
        engine = FakeEngine()
        ready = Readiness(engine.probe, try_again_s=0.001)
        watching = asyncio.create_task(ready.watch())
        await ready.ready()
        engine.probe_fails = Overloaded("gone")
        while ready.is_ready:
            await asyncio.sleep(0.005)
        engine.probe_fails = None
        await ready.ready()
        watching.cancel()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_while_answers_come_it_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        engine = FakeEngine()
        ready = Readiness(engine.probe, try_again_s=0.001)
        watching = asyncio.create_task(ready.watch())
        await ready.ready()
        for _ in range(20):
            ready.answered()
            await asyncio.sleep(0.002)
        assert len(engine.probes) == 1
        watching.cancel()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_metrics_are_in_prometheus_format(opened: OpenDoor) -> None:
    reply = opened().get("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE fishgate_gateway_request_seconds histogram" in reply.text


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_may_ask_with_head(opened: OpenDoor, path: str) -> None:
    door = opened()
    door.do(door.readiness.ready())
    assert requests.head(f"{door.url}{path}", timeout=30).status_code == 200
