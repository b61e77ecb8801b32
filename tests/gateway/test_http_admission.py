"""Who may come in: keys, rates, foreign pages, and nobody while the gateway is shutting down."""

from __future__ import annotations

import pytest
import requests

from gateway.keys import KEY_FILE, add_key, revoke_key
from tests.gateway.conftest import OpenDoor, drawn
from tests.gateway.http_door import Door
from tests.gateway.sockets import connected, head, is_closed, reply_of

PATHS = ("/v1/identify", "/v1/identify/batch", "/v1/models", "/v1/species", "/metrics")
OPEN_PATHS = ("/livez", "/readyz", "/", "/docs", "/openapi.json", "/page/icon.svg")


def ask(door: Door, path: str, **headers: str) -> requests.Response:
    method = "POST" if "identify" in path else "GET"
    return requests.request(method, f"{door.url}{path}", headers=headers, timeout=30)


@pytest.fixture
def guarded(opened: OpenDoor) -> Door:
    door = opened(keys_required=True)
    door.do(door.readiness.ready())
    return door


@pytest.mark.parametrize("path", PATHS)
def test_without_a_right_key_nothing_is_answered(guarded: Door, path: str) -> None:
    for headers in (
        {},
        {"X-API-Key": "fg_wrong"},
        {"Authorization": "Bearer fg_wrong"},
        {"Authorization": "Basic eA=="},
    ):
        reply = ask(guarded, path, **headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "unauthorised")
        assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_these_need_no_key(guarded: Door, path: str) -> None:
    assert ask(guarded, path).status_code == 200


def test_a_key_comes_in_either_header(guarded: Door) -> None:
    secret = add_key(guarded.settings.home / KEY_FILE, "boat")
    for headers in (
        {"X-API-Key": secret},
        {"Authorization": f"Bearer {secret}"},
        {"authorization": f"bearer  {secret}"},
    ):
        assert guarded.post(drawn(), headers=headers).status_code == 200
    revoke_key(guarded.settings.home / KEY_FILE, "boat")
    assert guarded.post(drawn(), headers={"X-API-Key": secret}).status_code == 401


def test_a_wrong_key_is_refused_even_where_none_is_needed(opened: OpenDoor) -> None:
    door = opened()
    assert door.post(drawn()).status_code == 200
    assert door.post(drawn(), headers={"X-API-Key": "fg_wrong"}).status_code == 401


def test_no_picture_is_looked_at_without_a_key(guarded: Door) -> None:
    guarded.post(drawn())
    assert guarded.engine.calls == []


def test_metrics_can_be_left_open(opened: OpenDoor) -> None:
    door = opened(keys_required=True, metrics_open=True)
    assert ask(door, "/metrics").status_code == 200
    assert ask(door, "/v1/models").status_code == 401


def test_above_its_rate_a_key_is_told_when_to_come_again(guarded: Door) -> None:
    slow = {"X-API-Key": add_key(guarded.settings.home / KEY_FILE, "slow", rate_per_s=0.01)}
    other = {"X-API-Key": add_key(guarded.settings.home / KEY_FILE, "other")}
    assert guarded.post(drawn(), headers=slow).status_code == 200
    reply = guarded.post(drawn(), headers=slow)
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "rate_limited")
    assert 90 <= int(reply.headers["retry-after"]) <= 100
    assert guarded.post(drawn(), headers=other).status_code == 200


ORIGIN = "https://fish.example"


def test_a_foreign_page_may_ask_only_if_it_is_named(opened: OpenDoor) -> None:
    door = opened(cors_origins=(ORIGIN,))
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        reply = door.post(drawn(), headers={"Origin": origin})
        assert reply.headers.get("access-control-allow-origin") == allowed
    assert "X-Request-Id" in door.post(drawn(), headers={"Origin": ORIGIN}).headers["access-control-expose-headers"]


def test_a_browser_is_told_beforehand_what_a_foreign_page_may_send(opened: OpenDoor) -> None:
    door = opened(cors_origins=(ORIGIN,), keys_required=True)
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    reply = requests.options(f"{door.url}/v1/identify", headers=asked, timeout=30)
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "X-API-Key" in reply.headers["access-control-allow-headers"]


def test_a_foreign_page_can_read_errors_as_well(opened: OpenDoor) -> None:
    door = opened(cors_origins=(ORIGIN,), keys_required=True)
    reply = door.post(drawn(), headers={"Origin": ORIGIN})
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (401, ORIGIN)


def test_by_default_no_foreign_page_may_ask(door: Door) -> None:
    assert "access-control-allow-origin" not in door.post(drawn(), headers={"Origin": ORIGIN}).headers


def test_while_shutting_down_what_was_begun_is_finished_and_nothing_new_is_taken_on(opened: OpenDoor) -> None:
    door = opened()
    picture = drawn(3, 3)
    request = head("/v1/identify", f"Content-Length: {len(picture)}") + picture
    door.do(door.readiness.ready())
    door.hold()
    with connected(door) as kept, connected(door) as busy:
        kept.sendall(head("/livez", method="GET"))
        assert reply_of(kept)[0] == 200
        busy.sendall(request)
        door.asked()
        draining = door.begin(door.server.drain())
        door.until(lambda: door.entrance.draining.has_begun)
        kept.sendall(request)  # on a connection from before
        status, headers, body = reply_of(kept)
        assert (status, headers["connection"], b"overloaded" in body) == (503, "close", True)
        assert is_closed(kept)
        reply = door.post(drawn())  # on a new one
        assert (reply.status_code, reply.headers["connection"]) == (503, "close")
        assert "shutting down" in reply.json()["error"]["message"]
        assert int(reply.headers["retry-after"]) >= 1
        assert (door.get("/readyz").status_code, door.get("/livez").status_code) == (503, 200)
        assert not draining.done()
        door.release()
        assert reply_of(busy)[0] == 200
    assert draining.result(20) is True


def test_shutting_down_does_not_wait_for_ever(opened: OpenDoor) -> None:
    door = opened(drain_limit_s=0.05)
    picture = drawn(3, 3)
    door.hold()
    with connected(door) as busy:
        busy.sendall(head("/v1/identify", f"Content-Length: {len(picture)}") + picture)
        door.asked()
        assert door.do(door.server.drain()) is False
