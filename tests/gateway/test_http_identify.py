"""``POST /v1/identify``: pictures and options in all their forms, and every error with its true status."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import requests

from fishgate.errors import REQUEST_ERRORS, FishgateError, ImageTooLarge
from fishgate.options import Options
from gateway.errors import RateLimited
from tests.conftest import ROOT
from tests.gateway.conftest import OpenDoor, drawn
from tests.gateway.http_door import Door

ANSWER = json.loads((ROOT / "docs" / "api" / "answer.schema.json").read_text())
ERROR = json.loads((ROOT / "docs" / "api" / "error.schema.json").read_text())

CONTENT_TYPES = (None, "image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded", "nonsense")


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_raw_body_of_any_type_is_a_picture(door: Door, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    reply = door.post(drawn(31, 17), headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    jsonschema.validate(reply.json(), ANSWER)
    assert reply.json()["label"] == "31 by 17"


@pytest.mark.parametrize("field", ["data", "picture", "image", "file", "upload"])
def test_a_form_holds_the_picture_in_any_of_these_fields(door: Door, field: str) -> None:
    reply = requests.post(f"{door.url}/v1/identify", files={field: ("a.jpg", drawn(31, 17))}, timeout=30)
    assert (reply.status_code, reply.json().get("label")) == (200, "31 by 17")


FIELDS = {"top_k": "3", "threshold": "0.25", "labels": '["Pike", "Zander", "Perch", "Ide"]'}
READ = Options(top_k=3, threshold=0.25, labels=("Pike", "Zander", "Perch", "Ide"))


@pytest.mark.parametrize("place", ["address", "form before", "form after", "both"])
def test_options_stand_in_the_address_or_in_the_form(door: Door, place: str) -> None:
    url = f"{door.url}/v1/identify"
    picture = ("data", ("a.jpg", drawn()))
    fields: list[Any] = [(name, (None, value)) for name, value in FIELDS.items()]
    if place == "address":
        reply = door.post(drawn(), params=FIELDS)
    elif place == "both":  # what stands in the form goes before what stands in the address
        reply = requests.post(url, files=[*fields, picture], params={"top_k": "1"}, timeout=30)
    else:
        parts = [picture, *fields] if place == "form after" else [*fields, picture]
        reply = requests.post(url, files=parts, timeout=30)
    assert reply.status_code == 200, reply.text
    assert door.engine.calls[-1].options == READ
    assert [one["label"] for one in reply.json()["candidates"]] == ["Pike", "Zander", "Perch"]


def test_a_picture_in_many_pieces_arrives_as_it_was_sent(door: Door) -> None:
    picture = drawn(600, 400, "BMP")

    def pieces() -> Any:
        yield from (picture[start : start + 10_007] for start in range(0, len(picture), 10_007))

    reply = requests.post(f"{door.url}/v1/identify", data=pieces(), timeout=30)
    assert reply.json()["label"] == "600 by 400"
    assert door.engine.calls[-1].picture == picture


WRONG: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no body": ({"data": b""}, 400, "empty_image", "0 bytes"),
    "an empty file": ({"files": {"data": ("a", b"")}}, 400, "empty_image", "0 bytes"),
    "a form without picture": ({"files": {"top_k": (None, "1")}}, 400, "empty_image", "no picture"),
    "no picture": ({"data": b"hello fish"}, 415, "unsupported_image", "JPEG"),
    "cut off": ({"data": drawn(64, 64)[:200]}, 422, "damaged_image", "damaged"),
    "unknown option": ({"data": drawn(), "params": {"topk": "1"}}, 400, "invalid_option", "'topk'; allowed: top_k"),
    "wrong option": ({"data": drawn(), "params": {"top_k": "0"}}, 400, "invalid_option", "1 to 50, got '0'"),
    "option twice": ({"data": drawn(), "params": {"top_k": ["1", "2"]}}, 400, "invalid_option", "twice"),
    "option no text": ({"files": {"data": drawn(), "labels": (None, b"\xff")}}, 400, "invalid_option", "UTF-8"),
    "address no text": ({"data": drawn(), "params": "labels=%ff"}, 400, "invalid_option", "UTF-8"),
    "labels and list": (
        {"data": drawn(), "params": {"labels": '["a"]', "species_list": "b"}},
        400,
        "invalid_option",
        "choose one of them",
    ),
    "two pictures": ({"files": {"data": drawn(), "file": drawn()}}, 400, "invalid_option", "/v1/identify/batch"),
    "deadline no number": ({"data": drawn(), "headers": {"X-Deadline-Ms": "soon"}}, 400, "invalid_option", "'soon'"),
    "deadline nought": ({"data": drawn(), "headers": {"X-Deadline-Ms": "0"}}, 400, "invalid_option", "from 1"),
    "form without boundary": (
        {"data": drawn(), "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "bad_request",
        "boundary",
    ),
    "no form": (
        {"data": drawn(), "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        400,
        "bad_request",
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("request_", "status", "code", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_has_its_status_and_code(
    door: Door, request_: dict[str, Any], status: int, code: str, message: str
) -> None:
    reply = requests.post(f"{door.url}/v1/identify", timeout=30, **request_)
    jsonschema.validate(reply.json(), ERROR)
    error = reply.json()["error"]
    assert (reply.status_code, error["status"], error["code"]) == (status, status, code)
    assert message in error["message"]


@pytest.mark.parametrize("kind", REQUEST_ERRORS, ids=lambda kind: kind.code)
def test_every_error_of_the_engine_keeps_its_status_and_code(opened: OpenDoor, kind: type[FishgateError]) -> None:
    door = opened()
    door.engine.fail = kind("told so")
    reply = door.post(drawn())
    assert reply.status_code == kind.status
    assert reply.json() == {"error": {"status": kind.status, "code": kind.code, "message": "told so"}}
    assert ("retry-after" in reply.headers) == (kind.status == 503)


def test_an_error_that_nobody_thought_of_is_an_internal_one_without_secrets(opened: OpenDoor) -> None:
    door = opened()
    door.engine.fail = RuntimeError("/srv/secret")  # type: ignore[assignment]
    reply = door.post(drawn())
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in reply.text
    assert door.get("/livez").ok


def test_the_engine_gets_deadline_request_id_and_trace(opened: OpenDoor) -> None:
    door = opened(deadline_s=5.0)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    reply = door.post(drawn(), headers={"X-Request-Id": "mine-7", "traceparent": trace})
    call = door.engine.calls[-1]
    assert call.request_id == reply.headers["x-request-id"] == "mine-7"
    assert call.trace.traceparent == reply.headers["traceparent"]
    assert reply.headers["traceparent"].startswith(trace[:36])
    assert reply.headers["traceparent"] != trace


def test_a_client_may_ask_for_less_time_but_not_for_more(opened: OpenDoor) -> None:
    door = opened(deadline_s=60.0)
    deadlines = []
    for header in ({"X-Deadline-Ms": "90000000"}, {}, {"X-Deadline-Ms": "20000"}):
        assert door.post(drawn(), headers=header).ok
        deadlines.append(door.engine.calls[-1].deadline_s)
    assert deadlines[0] < deadlines[1]  # both 60 s, the second was asked later
    assert deadlines[2] < deadlines[0]


def test_a_deadline_that_passes_is_a_504(opened: OpenDoor) -> None:
    door = opened()
    door.hold()
    reply = door.post(drawn(), headers={"X-Deadline-Ms": "50"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (504, "timed_out")


def test_a_deadline_also_holds_while_waiting_for_a_place(opened: OpenDoor) -> None:
    door = opened(pictures_at_once=1)
    door.hold()
    first = door.begin(_post_later(door, drawn(3, 3)))
    door.asked()
    reply = door.post(drawn(), headers={"X-Deadline-Ms": "50"})
    assert (reply.status_code, reply.json()["error"]["message"]) == (504, "no place became free within the time limit")
    door.release()
    assert first.result(20).json()["label"] == "3 by 3"


def test_beyond_places_and_queue_there_is_503_with_a_time_to_come_again(opened: OpenDoor) -> None:
    door = opened(pictures_at_once=1, pictures_waiting=1)
    door.hold()
    both = [door.begin(_post_later(door, drawn(3, 3))) for _ in range(2)]
    door.until(lambda: door.entrance.places.is_full)
    reply = door.post(drawn())
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
    assert int(reply.headers["retry-after"]) >= 1
    assert len(door.engine.calls) == 1
    door.release()
    assert [one.result(20).status_code for one in both] == [200, 200]
    door.until(lambda: door.entrance.places.taken == door.entrance.places.bytes_held == 0)


def test_pictures_that_take_too_much_memory_together_are_refused(opened: OpenDoor) -> None:
    picture = drawn(200, 200, "BMP")
    door = opened(picture_bytes_at_once=len(picture) + 1_000)
    door.hold()
    first = door.begin(_post_later(door, picture))
    door.asked()
    reply = door.post(picture)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
    door.release()
    assert first.result(20).ok
    assert door.post(picture).ok


def test_limits_on_pictures_are_those_of_the_settings(opened: OpenDoor) -> None:
    from gateway.running import engine_settings

    door = opened(max_picture_bytes=2_000, max_picture_pixels=99, max_picture_frames=7)
    limits = engine_settings(door.settings).picture_limits
    assert (limits.max_bytes, limits.max_pixels, limits.max_frames) == (2_000, 99, 7)


def test_codes_that_a_request_can_meet_are_all_documented() -> None:
    text = (ROOT / "docs" / "api" / "README.md").read_text()
    own = [RateLimited, *_all(FishgateError)]
    for error in own:
        if error.__module__ in ("gateway.errors", "fishgate.errors") and error is not ImageTooLarge:
            assert f"| `{error.code}` | {error.status} |" in text


def _all(kind: type[FishgateError]) -> list[type[FishgateError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _all(child))]


async def _post_later(door: Door, picture: bytes) -> requests.Response:
    import asyncio

    return await asyncio.to_thread(door.post, picture)
