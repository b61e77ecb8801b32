"""Figures: their names and labels, and that the engine's and the doors' parts reach them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from fishgate.answer import Answer, Source
from fishgate.errors import REQUEST_ERRORS, FishgateError, TimedOut
from fishgate.options import Options
from fishgate.wire import Request
from gateway.entrance import Entrance
from gateway.exchange import CURRENT, Exchange, current
from gateway.metrics import Metrics
from gateway.observing import Observer, Stage
from gateway.readiness import Readiness
from gateway.service import Service
from gateway.settings import Settings
from gateway.tracing import new_trace
from tests.gateway.conftest import OpenDoor, drawn
from tests.gateway.fake_engine import FakeEngine, toy_answer

P = "fishgate_gateway_"
SURE = toy_answer("pike", Options())


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[(P + name, frozenset(labels.items()))]


def service_of(engine: FakeEngine) -> Service:
    """Return what stands between a door and this engine."""
    settings = Settings()
    return Service(settings, engine, Entrance(settings), Metrics(), Readiness(engine.probe))


async def identified(service: Service) -> Answer:
    """Ask for one picture, as a door does."""
    asked = Request(drawn(), Options())
    return await service.identify(asked, deadline_s=time.monotonic() + 20.0, request_id="id", trace=new_trace())


@contextmanager
def in_a_request(answer: Answer | None) -> Iterator[None]:
    """Let the block run as the task of a request that got this answer."""
    exchange = Exchange("http", "POST", "/v1/identify", "/v1/identify", "id", new_trace())
    if answer is not None:
        exchange.answered(answer)
    token = CURRENT.set(exchange)
    try:
        yield
    finally:
        CURRENT.reset(token)


def test_requests_are_counted_by_route_source_and_code() -> None:
    metrics = Metrics()
    for code in ("ok", "ok", "damaged_image"):
        with in_a_request(SURE if code == "ok" else None):
            metrics.request(route="/v1/identify", source="expert" if code == "ok" else "", code=code, seconds=0.02)
    good = {"route": "/v1/identify", "source": "expert", "deferred": "false", "code": "ok"}
    bad = {"route": "/v1/identify", "source": "", "deferred": "", "code": "damaged_image"}
    assert value(metrics, "request_seconds_count", **good) == 2
    assert value(metrics, "request_seconds_count", **bad) == 1
    assert value(metrics, "request_seconds_sum", **good) == pytest.approx(0.04)
    assert [value(metrics, "request_seconds_bucket", **good, le=le) for le in ("0.01", "0.025")] == [0.0, 2.0]


@pytest.mark.parametrize("update", [{"degraded": True}, {"source": Source.ZERO_SHOT}, {}], ids=str)
def test_a_picture_that_waited_for_zero_shot_is_told_apart_whoever_answered_it(update: dict[str, Any]) -> None:
    metrics, answer = Metrics(), SURE.model_copy(update={"deferred": True, **update})
    with in_a_request(answer):
        metrics.request(route="/v1/identify", source=answer.source.value, code="ok", seconds=20.0)
    way = {"route": "/v1/identify", "source": answer.source.value, "deferred": "true", "code": "ok"}
    assert value(metrics, "request_seconds_count", **way) == 1


@pytest.mark.parametrize(("seconds", "bucket"), [(14.9, "15.0"), (15.1, "20.0"), (20.1, "30.0"), (45.0, "60.0")])
def test_long_waits_are_told_apart_at_the_limits_of_alerts(seconds: float, bucket: str) -> None:
    metrics = Metrics()
    metrics.stage("zero_shot", seconds)
    reached = [le for le in ("10.0", "15.0", "20.0", "30.0", "60.0") if in_bucket(metrics, le)]
    assert reached[0] == bucket


def in_bucket(metrics: Metrics, le: str) -> float:
    return value(metrics, "stage_seconds_bucket", stage="zero_shot", le=le)


def test_answers_are_counted_by_source_and_outcome() -> None:
    metrics = Metrics()
    assert value(metrics, "answers_total", source="expert", outcome="degraded") == 0, "it is there before the first"
    for answer in (
        SURE,
        SURE.model_copy(update={"low_confidence": True, "deferred": True}),
        SURE.model_copy(update={"degraded": True, "low_confidence": True, "deferred": True}),
    ):
        metrics.answer(answer)
    outcomes = ("accepted", "low_confidence", "degraded")
    assert [value(metrics, "answers_total", source="expert", outcome=outcome) for outcome in outcomes] == [1, 1, 1]
    assert value(metrics, "deferrals_total") == 2


def test_the_engine_can_tell_its_part() -> None:
    metrics = Metrics()
    observer: Observer = metrics
    observer.stage(Stage.EXPERT.value, 0.3)
    observer.packet("expert", 7)
    observer.cache(True)
    observer.cache(False)
    observer.breaker("open")
    observer.waiting("zero_shot", 3)
    observer.in_flight("zero_shot", 2)
    observer.retried("expert")
    assert value(metrics, "stage_seconds_count", stage="expert") == 1
    assert value(metrics, "packet_pictures_sum", model="expert") == 7
    assert [value(metrics, "cache_lookups_total", result=result) for result in ("hit", "miss")] == [1, 1]
    states = {state: value(metrics, "breaker_state", state=state) for state in ("closed", "open", "half_open")}
    assert states == {"closed": 0, "open": 1, "half_open": 0}
    assert value(metrics, "queue_pictures", model="zero_shot") == 3
    assert value(metrics, "packets_in_flight", model="zero_shot") == 2
    assert value(metrics, "retries_total", model="expert") == 1


def test_a_stage_is_told_to_the_request_that_it_belongs_to() -> None:
    with in_a_request(None):
        exchange = current()
        Metrics().stage("expert", 0.25)
    Metrics().stage("expert", 0.5)
    assert [(name, seconds) for name, seconds, _ in exchange.stages] == [("expert", 0.25)]


@pytest.mark.parametrize("error", REQUEST_ERRORS, ids=lambda error: error.code)
def test_each_picture_that_fails_is_counted_by_its_code(error: type[FishgateError]) -> None:
    service = service_of(FakeEngine(fail=error("as the test wants it")))
    assert value(service.metrics, "picture_errors_total", code=error.code) == 0, "it is there before the first"
    for _ in range(2):
        with pytest.raises(error):
            asyncio.run(identified(service))
    counted = {one.code: value(service.metrics, "picture_errors_total", code=one.code) for one in REQUEST_ERRORS}
    assert {code: count for code, count in counted.items() if count} == {error.code: 2}


def test_a_picture_that_is_answered_is_no_error() -> None:
    service = service_of(FakeEngine())
    assert asyncio.run(identified(service)).label == "12 by 8"
    assert not any(value(service.metrics, "picture_errors_total", code=one.code) for one in REQUEST_ERRORS)


def test_pictures_that_fail_within_a_batch_are_counted_although_the_request_went_well(opened: OpenDoor) -> None:
    door = opened(engine=FakeEngine(fail=TimedOut("as the test wants it")))
    batch = [("data", (f"{number}.jpg", drawn())) for number in range(3)]
    assert requests.post(f"{door.url}/v1/identify/batch", files=batch, timeout=30).status_code == 200
    assert value(door.metrics, "picture_errors_total", code="timed_out") == 3
    request = {"route": "/v1/identify/batch", "source": "", "deferred": "", "code": "ok"}
    counted = (P + "request_seconds_count", frozenset(request.items()))
    door.until(lambda: samples(door.metrics).get(counted) == 1)


def test_a_gauge_is_asked_for_when_somebody_looks() -> None:
    metrics = Metrics()
    held = [1.0]
    metrics.watch("pictures_in_work", "Pictures that have a place", lambda: held[0])
    assert value(metrics, "pictures_in_work") == 1.0
    held[0] = 5.0
    assert value(metrics, "pictures_in_work") == 5.0


def test_what_runs_and_what_it_takes_is_told() -> None:
    names = {name for name, _ in samples(Metrics())}
    assert {P + "build_info", P + "process_resident_memory_bytes", P + "process_open_fds"} <= names
