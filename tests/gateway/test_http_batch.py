"""``POST /v1/identify/batch``: a line for each picture, in order, while they come."""

from __future__ import annotations

import json
import socket
from typing import Any

import jsonschema
import pytest
import requests

from gateway.keys import KEY_FILE, Key, add_key
from tests.gateway.conftest import OpenDoor, drawn
from tests.gateway.http_door import Door
from tests.gateway.sockets import connected, form, form_head, lines_of, part, reply_of
from tests.gateway.test_http_identify import ANSWER, ERROR

PATH = "/v1/identify/batch"


def send(door: Door, *files: tuple[str, bytes], **fields: str) -> requests.Response:
    parts: list[Any] = [(name, (None, value)) for name, value in fields.items()]
    parts += [("data", file) for file in files]
    return requests.post(f"{door.url}{PATH}", files=parts, timeout=30)


def told(reply: requests.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in reply.content.splitlines()]


def test_each_picture_has_its_line_in_order(door: Door) -> None:
    files = [(f"{i}.jpg", drawn(10 + i, 5)) for i in range(40)]
    reply = send(door, *files, top_k="2")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-ndjson")
    lines = told(reply)
    assert [line["index"] for line in lines] == list(range(40))
    assert [line["file"] for line in lines] == [name for name, _ in files]
    assert [line["answer"]["label"] for line in lines] == [f"{10 + i} by 5" for i in range(40)]
    assert {len(line["answer"]["candidates"]) for line in lines} == {2}
    for line in lines:
        jsonschema.validate(line["answer"], ANSWER)


def test_a_bad_picture_harms_no_other(door: Door) -> None:
    big = drawn(64, 64)
    reply = send(door, ("a", drawn(3, 3)), ("b", b""), ("c", b"fish"), ("d", big[:200]), ("e", drawn(4, 4)))
    lines = told(reply)
    codes = [line.get("error", {}).get("code") for line in lines]
    assert codes == [None, "empty_image", "unsupported_image", "damaged_image", None]
    assert [line["file"] for line in lines] == list("abcde")
    jsonschema.validate({"error": lines[1]["error"]}, ERROR)


def test_a_picture_that_is_too_large_harms_no_other(opened: OpenDoor) -> None:
    door = opened(max_picture_bytes=4_000)
    lines = told(send(door, ("a", drawn(3, 3)), ("b", drawn(100, 100, "BMP")), ("c", drawn(4, 4))))
    assert [line.get("error", {}).get("code") for line in lines] == [None, "image_too_large", None]
    door.until(lambda: door.entrance.places.bytes_held == 0)


def test_file_names_may_hold_anything(door: Door) -> None:
    names = ["fisch ä.jpg", "魚.png", 'quo"te.jpg', "a/b\\c.jpg"]
    body = form(*(part(f'name="data"; filename="{name}"'.replace('quo"te', "quo%22te"), drawn()) for name in names))
    headers = {"Content-Type": "multipart/form-data; boundary=fish"}
    lines = told(requests.post(f"{door.url}{PATH}", data=body, headers=headers, timeout=30))
    assert [line["file"] for line in lines] == ["fisch ä.jpg", "魚.png", "quo%22te.jpg", "a/b\\c.jpg"]


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no form": ({"data": drawn()}, "bad_request", "multipart/form-data"),
    "no picture": ({"files": {"top_k": (None, "1")}}, "empty_image", "no picture"),
    "unknown option": ({"files": [("k", (None, "1")), ("data", ("a", drawn()))]}, "invalid_option", "'k'"),
    "wrong deadline": (
        {"files": {"data": ("a", drawn())}, "headers": {"X-Deadline-Ms": "soon"}},
        "invalid_option",
        "X-Deadline-Ms",
    ),
    "wrong option": ({"files": [("top_k", (None, "99")), ("data", ("a", drawn()))]}, "invalid_option", "1 to 50"),
}


@pytest.mark.parametrize(("request_", "code", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_before_the_first_picture_has_a_true_status(
    door: Door, request_: dict[str, Any], code: str, message: str
) -> None:
    reply = requests.post(f"{door.url}{PATH}", timeout=30, **request_)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)
    assert message in reply.json()["error"]["message"]


BROKEN = {
    "cut off": (
        part('name="data"; filename="a"', drawn(3, 3)) + part('name="data"; filename="b"', drawn(4, 4))[:-9],
        "bad_request",
        "cut off",
    ),
    "option behind a picture": (
        form(part('name="data"; filename="a"', drawn(3, 3)), part('name="top_k"', b"1")),
        "invalid_option",
        "before the first picture",
    ),
    "no form any more": (
        part('name="data"; filename="a"', drawn(3, 3)) + b"--fish\r\nX" + b"-" * 9_000,
        "bad_request",
        "header size",
    ),
}


@pytest.mark.parametrize(("body", "code", "message"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_rest_is_told_in_a_last_line(door: Door, body: bytes, code: str, message: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=fish"}
    lines = told(requests.post(f"{door.url}{PATH}", data=body, headers=headers, timeout=30))
    assert (lines[0]["answer"]["label"], len(lines)) == ("3 by 3", 2)
    assert (lines[1]["index"], lines[1]["file"], lines[1]["error"]["code"]) == (1, None, code)
    assert message in lines[1]["error"]["message"]


def test_more_pictures_than_allowed_are_refused_but_not_those_before(opened: OpenDoor) -> None:
    lines = told(send(opened(batch_pictures=2), *[("a", drawn(3, 3))] * 3))
    assert [line.get("error", {}).get("code") for line in lines] == [None, None, "invalid_option"]


def test_a_batch_that_is_too_large_is_refused_before_it_is_read(opened: OpenDoor) -> None:
    door = opened(batch_bytes=1_000)
    with connected(door) as one:
        one.sendall(form_head(PATH, 5_000_000))
        status, _, body = reply_of(one)
    assert (status, json.loads(body)["error"]["code"]) == (413, "request_too_large")


def test_answers_come_while_the_upload_still_streams(door: Door) -> None:
    first, second = part('name="data"; filename="a"', drawn(3, 3)), part('name="data"; filename="b"', drawn(4, 4))
    with connected(door) as one:
        one.sendall(form_head(PATH, None))
        one.sendall(b"%x\r\n%b\r\n" % (len(first) + 8, first + b"--fish\r\n"))
        lines = lines_of(one)
        assert next(lines)["answer"]["label"] == "3 by 3"
        rest = second.removeprefix(b"--fish\r\n") + b"--fish--\r\n"
        one.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest))
        assert next(lines)["answer"]["label"] == "4 by 4"


def test_a_client_that_reads_nothing_before_it_has_sent_all_is_served(opened: OpenDoor) -> None:
    door = opened(batch_at_once=2)
    body = form(*(part(f'name="data"; filename="{i}"', drawn(10 + i, 4)) for i in range(300)))
    with connected(door) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        one.sendall(form_head(PATH, len(body)))
        one.sendall(body)  # blocks for ever if the gateway stops reading until somebody reads its lines
        lines = list(lines_of(one))
    assert [line["index"] for line in lines] == list(range(300))


def test_only_so_many_of_a_batch_are_worked_on_at_once(opened: OpenDoor) -> None:
    door = opened(batch_at_once=3)
    assert len(told(send(door, *[("a", drawn(3, 3))] * 30))) == 30
    assert 1 <= door.engine.most_working <= 3


def test_every_picture_of_a_batch_takes_a_place(opened: OpenDoor) -> None:
    door = opened(batch_at_once=4, pictures_at_once=1, pictures_waiting=8)
    assert [("answer" in line) for line in told(send(door, *[("a", drawn(3, 3))] * 8))] == [True] * 8
    assert door.engine.most_working == 1


def test_a_client_that_hangs_up_frees_all_its_places(opened: OpenDoor) -> None:
    door = opened(batch_at_once=4)
    door.hold()
    body = form(*(part('name="data"; filename="a"', drawn(3, 3)) for _ in range(4)))
    with connected(door) as one:
        one.sendall(form_head(PATH, len(body)) + body)
        door.until(lambda: door.engine.working == 4)
    door.until(lambda: door.entrance.places.taken == door.entrance.places.bytes_held == 0)
    assert door.engine.cancelled == 4


def test_a_client_that_hangs_up_amid_the_upload_frees_all_its_places(opened: OpenDoor) -> None:
    door = opened()
    door.hold()
    with connected(door) as one:
        one.sendall(form_head(PATH, 10_000_000) + part('name="data"; filename="a"', drawn(3, 3)) + b"--fish\r\n")
        door.asked()
    door.until(lambda: door.entrance.draining.in_flight == 0)
    assert (door.engine.cancelled, door.entrance.places.taken, door.entrance.places.bytes_held) == (1, 0, 0)


def test_each_picture_of_a_batch_counts_for_the_rate(opened: OpenDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    door = opened(keys_required=True)
    secret = add_key(door.settings.home / KEY_FILE, "boat", rate_per_s=200.0)
    counted: list[Key | None] = []
    monkeypatch.setattr(door.entrance.rate_limits, "take", counted.append)
    parts = [("data", ("a", drawn(3, 3)))] * 20
    assert len(told(requests.post(f"{door.url}{PATH}", files=parts, headers={"X-API-Key": secret}, timeout=30))) == 20
    assert [key.name for key in counted if key] == ["boat"] * 20


def test_over_its_rate_a_batch_is_slowed_down_and_not_refused(opened: OpenDoor) -> None:
    door = opened(keys_required=True)
    secret = add_key(door.settings.home / KEY_FILE, "boat", rate_per_s=50.0)
    bucket_full = 100
    headers = {"X-API-Key": secret}
    parts = [("data", ("a", drawn(3, 3)))] * (bucket_full + 5)
    reply = requests.post(f"{door.url}{PATH}", files=parts, headers=headers, timeout=60)
    assert [("answer" in line) for line in told(reply)] == [True] * (bucket_full + 5)


def test_pictures_have_request_ids_of_their_own(opened: OpenDoor) -> None:
    door = opened()
    parts = [("data", ("a", drawn(3, 3)))] * 3
    requests.post(f"{door.url}{PATH}", files=parts, headers={"X-Request-Id": "mine"}, timeout=30)
    assert sorted(call.request_id for call in door.engine.calls) == ["mine-0", "mine-1", "mine-2"]
