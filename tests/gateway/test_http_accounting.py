"""What every reply carries, and what is left of each request in the log, the figures and the trace."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fishgate.errors import Overloaded
from gateway.keys import KEY_FILE, add_key
from gateway.spans import NoSpans, OpenTelemetrySpans, spans_to
from tests.gateway.conftest import OpenDoor, drawn
from tests.gateway.http_door import Door
from tests.gateway.sockets import connected, head

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")


def logged(door: Door) -> list[dict[str, Any]]:
    """The lines of the access log so far."""
    door.call(door.log.close)
    return [json.loads(line) for line in (door.settings.home / "access.log").read_text().splitlines()]


@pytest.mark.parametrize("path", ["/v1/models", "/livez", "/", "/page/icon.svg", "/docs", "/nothing", "/v1/identify"])
def test_every_reply_has_these_headers(door: Door, path: str) -> None:
    headers = door.get(path).headers
    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])
    assert TRACEPARENT.fullmatch(headers["traceparent"])
    assert re.search(r"total;dur=\d", headers["server-timing"])
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


IDS = {
    "a word": ("mine-7", True),
    "signs": ("a/b:c=d;e", True),
    "128 characters": ("x" * 128, True),
    "129 characters": ("x" * 129, False),
    "a space": ("a b", False),
    "not ASCII": ("fisch\u00e4".encode("latin-1"), False),
    "empty": ("", False),
}


@pytest.mark.parametrize(("told", "is_kept"), IDS.values(), ids=IDS)
def test_a_clients_request_id_is_kept_if_it_is_harmless(door: Door, told: str | bytes, is_kept: bool) -> None:
    reply = door.get("/livez", headers={"X-Request-Id": told})
    assert (reply.headers["x-request-id"] == told) is is_kept
    assert is_kept or re.fullmatch(r"[0-9a-f]{32}", reply.headers["x-request-id"])


PARENTS = {
    "sampled": (f"00-{TRACE}-{PARENT}-01", True, "01"),
    "not sampled": (f"00-{TRACE}-{PARENT}-00", True, "00"),
    "a later version": (f"cc-{TRACE}-{PARENT}-01-what-comes", True, "01"),
    "no version": (f"ff-{TRACE}-{PARENT}-01", False, "00"),
    "more than version 0 has": (f"00-{TRACE}-{PARENT}-01-x", False, "00"),
    "no trace": (f"00-{'0' * 32}-{PARENT}-01", False, "00"),
    "no span": (f"00-{TRACE}-{'0' * 16}-01", False, "00"),
    "capitals": (f"00-{TRACE.upper()}-{PARENT}-01", False, "00"),
    "too short": (f"00-{TRACE[1:]}-{PARENT}-01", False, "00"),
    "rubbish": ("fish", False, "00"),
}


@pytest.mark.parametrize(("told", "is_kept", "flags"), PARENTS.values(), ids=PARENTS)
def test_a_clients_trace_is_carried_on_if_it_is_well_formed(door: Door, told: str, is_kept: bool, flags: str) -> None:
    given = door.get("/livez", headers={"traceparent": told}).headers["traceparent"]
    assert TRACEPARENT.fullmatch(given)
    assert (given[3:35] == TRACE) is is_kept
    assert given[36:52] != PARENT
    assert given.endswith(flags)


def test_the_time_of_each_stage_is_told(door: Door) -> None:
    def tell() -> None:
        door.metrics.stage("expert", 0.0125)

    door.engine.also = tell
    timing = door.post(drawn()).headers["server-timing"]
    door.engine.also = None
    assert re.fullmatch(r"expert;dur=12\.5, total;dur=[\d.]+", timing)


def test_a_line_of_the_log_tells_what_happened(opened: OpenDoor) -> None:
    door = opened(keys_required=True)
    secret = add_key(door.settings.home / KEY_FILE, "boat")
    picture = drawn()
    sent = {"X-Request-Id": "mine", "X-API-Key": secret, "traceparent": f"00-{TRACE}-{PARENT}-01"}
    reply = door.post(picture, params={"labels": '["Secretfish"]'}, headers=sent)
    (line,) = [line for line in logged(door) if line["request_id"] == "mine"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line.pop("seconds") > 0
    assert line == {
        "request_id": "mine",
        "trace_id": TRACE,
        "door": "http",
        "method": "POST",
        "path": "/v1/identify",
        "status": 200,
        "code": "ok",
        "bytes_in": len(picture),
        "bytes_out": len(reply.content),
        "source": "expert",
        "deferred": False,
        "key": "boat",
        "client": "127.0.0.1",
    }


def test_the_log_holds_no_picture_label_query_or_key(opened: OpenDoor) -> None:
    door = opened()
    files = [("labels", (None, '["Secretfish"]')), ("data", ("secret-file.jpg", drawn()))]
    door.post(drawn(), params={"labels": '["Secretfish"]'}, headers={"X-API-Key": "fg_secret-key"})
    requests.post(f"{door.url}/v1/identify", files=files, timeout=30)
    requests.post(f"{door.url}/v1/identify/batch", files=files, timeout=30)
    door.post(b"secret bytes")
    door.get("/v1/species?list=secret")
    text = "\n".join(json.dumps(line) for line in logged(door))
    assert text.count("\n") >= 4
    assert "ecret" not in text


ENDS = {
    "an error": ({"data": b"no picture"}, 415, "unsupported_image"),
    "not found": ({"path": "/v2"}, 404, "not_found"),
    "wrong method": ({"path": "/livez"}, 405, "method_not_allowed"),
}


@pytest.mark.parametrize(("request_", "status", "code"), ENDS.values(), ids=ENDS)
def test_each_error_stands_in_the_log(opened: OpenDoor, request_: dict[str, Any], status: int, code: str) -> None:
    door = opened()
    door.post(request_.get("data", b""), path=request_.get("path", "/v1/identify"), headers={"X-Request-Id": "this"})
    (line,) = [line for line in logged(door) if line["request_id"] == "this"]
    assert (line["status"], line["code"]) == (status, code)


def test_a_client_that_hung_up_stands_in_the_log(opened: OpenDoor) -> None:
    door = opened()
    picture = drawn()
    door.hold()
    with connected(door) as one:
        one.sendall(head("/v1/identify", f"Content-Length: {len(picture)}", "X-Request-Id: gone") + picture)
        door.asked()
    door.until(lambda: door.entrance.draining.in_flight == 0)
    (line,) = [line for line in logged(door) if line["request_id"] == "gone"]
    assert (line["status"], line["code"]) == (499, "hung_up")


def test_the_figures_count_each_request_by_route_source_and_code(opened: OpenDoor) -> None:
    door = opened()
    door.post(drawn())
    door.post(b"no picture")
    for number in range(3):
        door.get(f"/made-up-{number}")
    text = door.get("/metrics").text
    name = "fishgate_gateway_request_seconds_count"
    assert f'{name}{{code="ok",deferred="false",route="/v1/identify",source="expert"}} 1.0' in text
    assert f'{name}{{code="unsupported_image",deferred="",route="/v1/identify",source=""}} 1.0' in text
    assert f'{name}{{code="not_found",deferred="",route="other",source=""}} 3.0' in text
    assert "made-up" not in text


def test_spans_are_sent_with_their_stages(opened: OpenDoor) -> None:
    exporter = InMemorySpanExporter()
    door = opened(spans=OpenTelemetrySpans(SimpleSpanProcessor(exporter)))
    door.engine.also = lambda: door.metrics.stage("expert", 0.5)
    reply = door.post(drawn(), headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "mine"})
    door.until(lambda: len(exporter.get_finished_spans()) == 2)
    stage, span = exporter.get_finished_spans()
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert reply.headers["traceparent"] == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert door.engine.calls[-1].trace.traceparent == reply.headers["traceparent"]
    assert (span.name, span.kind.name) == ("POST /v1/identify", "SERVER")
    told = {name: span.attributes[name] for name in ("http.response.status_code", "fishgate.source", "fishgate.code")}
    assert told == {"http.response.status_code": 200, "fishgate.source": "expert", "fishgate.code": "ok"}
    assert span.attributes["fishgate.request_id"] == "mine"
    assert (stage.name, stage.parent.span_id) == ("expert", span.context.span_id)
    assert stage.end_time - stage.start_time == pytest.approx(0.5e9, rel=1e-3)


def test_a_span_of_an_error_tells_its_code(opened: OpenDoor) -> None:
    exporter = InMemorySpanExporter()
    door = opened(spans=OpenTelemetrySpans(SimpleSpanProcessor(exporter)))
    door.engine.fail = Overloaded("too much")
    door.post(drawn())
    door.until(lambda: len(exporter.get_finished_spans()) == 1)
    (span,) = exporter.get_finished_spans()
    assert span.attributes["http.response.status_code"] == 503
    assert span.attributes["fishgate.code"] == "overloaded"


def test_a_trace_that_the_client_does_not_record_is_not_recorded(opened: OpenDoor) -> None:
    exporter = InMemorySpanExporter()
    door = opened(spans=OpenTelemetrySpans(SimpleSpanProcessor(exporter)))
    reply = door.post(drawn(), headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    assert reply.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert reply.headers["traceparent"].endswith("-00")
    assert exporter.get_finished_spans() == ()


def test_without_an_endpoint_nothing_is_recorded() -> None:
    assert isinstance(spans_to(None), NoSpans)


def test_with_an_endpoint_spans_go_there() -> None:
    spans = spans_to("http://127.0.0.1:4318/")
    try:
        assert isinstance(spans, OpenTelemetrySpans)
    finally:
        spans.close()
