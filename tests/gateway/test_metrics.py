"""Figures: their names and labels, and that the engine's and the doors' parts reach them."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fishgate.options import Options
from gateway.exchange import CURRENT, Exchange
from gateway.metrics import Metrics
from gateway.observing import Observer, Stage
from gateway.tracing import new_trace
from tests.gateway.fake_engine import toy_answer

P = "fishgate_gateway_"


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[(P + name, frozenset(labels.items()))]


def test_requests_are_counted_by_route_source_and_code() -> None:
    metrics = Metrics()
    for code in ("ok", "ok", "damaged_image"):
        metrics.request(route="/v1/identify", source="expert" if code == "ok" else "", code=code, seconds=0.02)
    assert value(metrics, "request_seconds_count", route="/v1/identify", source="expert", code="ok") == 2
    assert value(metrics, "request_seconds_count", route="/v1/identify", source="", code="damaged_image") == 1
    good = {"route": "/v1/identify", "source": "expert", "code": "ok"}
    assert value(metrics, "request_seconds_sum", **good) == pytest.approx(0.04)
    assert [value(metrics, "request_seconds_bucket", **good, le=le) for le in ("0.01", "0.025")] == [0.0, 2.0]


def test_answers_are_counted_by_source_and_outcome() -> None:
    metrics = Metrics()
    sure = toy_answer("pike", Options())
    for answer in (
        sure,
        sure.model_copy(update={"low_confidence": True, "deferred": True}),
        sure.model_copy(update={"degraded": True, "low_confidence": True, "deferred": True}),
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
    exchange = Exchange("http", "POST", "/v1/identify", "/v1/identify", "id", new_trace())
    token = CURRENT.set(exchange)
    Metrics().stage("expert", 0.25)
    CURRENT.reset(token)
    Metrics().stage("expert", 0.5)
    assert [(name, seconds) for name, seconds, _ in exchange.stages] == [("expert", 0.25)]


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
