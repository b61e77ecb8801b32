"""Slow, large and idle clients: none of them keeps the gateway from serving the others."""

from __future__ import annotations

import json
import resource
import socket
from contextlib import ExitStack

import pytest

from gateway.http.connections import Connections, allow_many_files
from gateway.http.protocol import MOST_HEAD_BYTES
from tests.gateway.conftest import OpenDoor, drawn
from tests.gateway.http_door import Door
from tests.gateway.sockets import connected, head, is_closed, part, reply_of

IDENTIFY = "/v1/identify"


def code_of(body: bytes) -> str:
    return str(json.loads(body)["error"]["code"])


def is_broken_off(connection: socket.socket, data: bytes = b"x" * 65_536) -> bool:
    """Whether the gateway stops taking data before it has taken a gigabyte of it."""
    try:
        for _ in range(10**9 // len(data)):
            connection.sendall(data)
    except OSError:
        return True
    return False


def serves(door: Door) -> bool:
    """Whether a well-behaved client is answered."""
    return door.post(drawn(3, 3)).ok


def test_a_head_that_does_not_come_to_its_end_is_given_up(opened: OpenDoor) -> None:
    door = opened(head_limit_s=0.2)
    with connected(door) as slow:
        slow.sendall(b"POST /v1/identify HTTP/1.1\r\nHost: fish\r\nX-A: ")
        status, headers, body = reply_of(slow)
        assert (status, code_of(body), headers["connection"]) == (408, "request_timeout", "close")
        assert is_closed(slow)
    assert serves(door)


def test_a_head_that_drips_is_given_up_too(opened: OpenDoor) -> None:
    """Each byte alone would keep a clock running that starts anew with whatever comes."""
    door = opened(head_limit_s=0.3)
    with connected(door) as slow:
        slow.settimeout(0.02)
        slow.sendall(b"POST /v1/identify HTTP/1.1\r\nX-A: ")
        reply = b""
        for _ in range(1_000):
            try:
                slow.sendall(b"a")
                reply = slow.recv(65_536)
                break
            except TimeoutError:
                continue
    assert reply.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"\r\n\r\n"], ids=["nothing", "a line end", "two line ends"])
def test_a_connection_on_which_nothing_comes_is_closed(opened: OpenDoor, sent: bytes) -> None:
    door = opened(head_limit_s=0.2)
    with connected(door) as silent:
        silent.sendall(sent)
        assert is_closed(silent)
    door.until(lambda: door.server.connections.open == 0)


@pytest.mark.parametrize("between", [b"", b"\r\n", b"POST /"], ids=["nothing", "a line end", "half a head"])
def test_after_a_request_a_connection_does_not_stay_for_ever_either(opened: OpenDoor, between: bytes) -> None:
    door = opened(head_limit_s=0.2, keep_alive_s=1)
    with connected(door) as one:
        one.sendall(head("/livez", method="GET"))
        assert reply_of(one)[0] == 200
        one.sendall(between)
        assert is_closed(one)
    door.until(lambda: door.server.connections.open == 0)


def test_requests_on_one_connection_are_answered_one_after_the_other(opened: OpenDoor) -> None:
    door = opened(head_limit_s=0.5)
    picture = drawn(3, 3)
    with connected(door) as one:
        for _ in range(3):
            one.sendall(head(IDENTIFY, f"Content-Length: {len(picture)}") + picture)
            assert reply_of(one)[0] == 200


def test_requests_that_are_sent_ahead_are_answered_in_order(opened: OpenDoor) -> None:
    door = opened()
    requests_ = [head(IDENTIFY, f"Content-Length: {len(p)}") + p for p in (drawn(3, 3), drawn(4, 4), drawn(5, 5))]
    with connected(door) as one:
        one.sendall(b"".join(requests_) + head("/livez", "Connection: close", method="GET"))
        said = b""
        while data := one.recv(65_536):
            said += data
    places = [said.index(mark) for mark in (b'"3 by 3"', b'"4 by 4"', b'"5 by 5"', b'"alive"')]
    assert places == sorted(places)


ENDLESS = {
    "address": (b"GET /", b"a" * 10_000),
    "header": (b"GET / HTTP/1.1\r\nX-A: ", b"a" * 10_000),
    "headers": (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n" * 1_250),
    "trailer": (head(IDENTIFY, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n", b"X-A: b\r\n" * 1_250),
    "chunk extension": (head(IDENTIFY, "Transfer-Encoding: chunked") + b"3;", b"a" * 10_000),
}


@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
def test_what_never_comes_to_a_point_is_broken_off(opened: OpenDoor, begin: bytes, more: bytes) -> None:
    door = opened()
    with connected(door) as endless:
        endless.sendall(begin)
        assert is_broken_off(endless, more)
    assert serves(door)


def test_a_head_that_is_too_large_is_told_so(opened: OpenDoor) -> None:
    with connected(opened()) as one:
        one.sendall(b"GET / HTTP/1.1\r\nX-A: " + b"a" * MOST_HEAD_BYTES)
        status, _, body = reply_of(one)
    assert (status, code_of(body)) == (431, "head_too_large")


@pytest.mark.parametrize("sent", [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_is_told_so(opened: OpenDoor, sent: bytes) -> None:
    with connected(opened()) as one:
        one.sendall(sent)
        status, _, body = reply_of(one)
        assert (status, code_of(body)) == (400, "bad_request")
        assert is_closed(one)


@pytest.mark.parametrize("sent", [b"", b"\xff\xd8"], ids=["nothing of it", "some of it"])
def test_a_body_that_does_not_come_is_a_408(opened: OpenDoor, sent: bytes) -> None:
    door = opened(body_limit_s=0.2)
    with connected(door) as slow:
        slow.sendall(head(IDENTIFY, "Content-Length: 500") + sent)
        status, headers, body = reply_of(slow)
        assert (status, code_of(body), headers["connection"]) == (408, "request_timeout", "close")
    door.until(lambda: door.entrance.places.bytes_held == 0)
    assert serves(door)


def test_a_batch_that_stalls_is_told_so_and_given_up(opened: OpenDoor) -> None:
    door = opened(body_limit_s=0.2)
    first = part('name="data"; filename="a"', drawn(3, 3)) + b"--fish\r\n"
    with connected(door) as slow:
        kind = "Content-Type: multipart/form-data; boundary=fish"
        slow.sendall(head(f"{IDENTIFY}/batch", kind, "Content-Length: 90000") + first)
        said = b""
        while b"request_timeout" not in said:
            said += slow.recv(65_536)
    assert b'"3 by 3"' in said
    door.until(lambda: door.entrance.draining.in_flight == 0)


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(opened: OpenDoor) -> None:
    door = opened(max_picture_bytes=1_000)
    with connected(door) as one:
        one.sendall(head(IDENTIFY, "Content-Length: 1001", "Expect: 100-continue"))
        status, _, body = reply_of(one)  # and no "100 Continue" before it
    assert (status, code_of(body)) == (413, "image_too_large")
    assert "1,001 bytes; allowed are 1,000" in json.loads(body)["error"]["message"]


def test_a_body_of_unknown_length_is_refused_where_it_becomes_too_large(opened: OpenDoor) -> None:
    door = opened(max_picture_bytes=100_000)
    with connected(door) as one:
        one.sendall(head(IDENTIFY, "Transfer-Encoding: chunked"))
        for _ in range(20):
            one.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        status, _, body = reply_of(one)
        assert (status, code_of(body)) == (413, "image_too_large")
        one.sendall(b"0\r\n\r\n" + head("/livez", method="GET"))
        assert reply_of(one)[0] == 200  # the connection is still good
    door.until(lambda: door.entrance.places.bytes_held == 0)


def test_a_reply_that_comes_before_the_body_is_not_lost_with_the_connection(opened: OpenDoor) -> None:
    door = opened()
    body = b"x" * 3_000_000
    request = head("/v1/identify/batch", "Content-Type: text/plain", f"Content-Length: {len(body)}")
    with connected(door) as one:
        for _ in range(5):
            one.sendall(request + body)
            status, _, told = reply_of(one)
            assert (status, code_of(told)) == (400, "bad_request")


def test_a_reply_that_closes_is_not_lost_either(opened: OpenDoor) -> None:
    door = opened()
    door.call(door.entrance.draining.begin)
    body = b"x" * 3_000_000
    for _ in range(5):
        with connected(door) as one:
            one.sendall(head(IDENTIFY, f"Content-Length: {len(body)}") + body)
            assert reply_of(one)[0] == 503


def test_what_is_sent_on_after_the_reply_is_not_taken_for_ever(opened: OpenDoor) -> None:
    door = opened(max_picture_bytes=1_000, body_limit_s=0.3)
    with connected(door) as one:
        one.sendall(head(IDENTIFY, "Content-Length: 900000000"))
        assert reply_of(one)[0] == 413
        assert is_broken_off(one)
    door.until(lambda: door.server.connections.open == 0)


def test_a_reply_that_nobody_reads_does_not_keep_its_connection(opened: OpenDoor) -> None:
    door = opened(body_limit_s=0.3)
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        lazy.connect(door.address)
        lazy.sendall(head("/openapi.json", method="GET") * 400)
        door.until(lambda: door.server.connections.open == 0)
    assert serves(door)


def test_who_opens_connections_and_leaves_them_closes_only_his_own(opened: OpenDoor) -> None:
    door = opened(connections=20)
    with ExitStack() as stack:
        door.hold()
        picture = drawn(3, 3)
        busy = stack.enter_context(connected(door))
        busy.sendall(head(IDENTIFY, f"Content-Length: {len(picture)}") + picture)
        door.asked()
        idle = [stack.enter_context(connected(door)) for _ in range(200)]
        assert is_closed(idle[0])
        assert serves_while_held(door)
        door.release()
        assert reply_of(busy)[0] == 200
        assert door.server.connections.open <= 20


def serves_while_held(door: Door) -> bool:
    return door.get("/livez").ok


def test_where_all_connections_are_busy_a_new_one_is_told_so(opened: OpenDoor) -> None:
    door = opened(connections=2)
    picture = drawn(3, 3)
    door.hold()
    with ExitStack() as stack:
        busy = [stack.enter_context(connected(door)) for _ in range(2)]
        for one in busy:
            one.sendall(head(IDENTIFY, f"Content-Length: {len(picture)}") + picture)
        door.until(lambda: door.engine.working == 2)
        late = stack.enter_context(connected(door))
        status, headers, body = reply_of(late)
        assert (status, code_of(body), headers["connection"]) == (503, "overloaded", "close")
        door.release()
        assert [reply_of(one)[0] for one in busy] == [200, 200]


class Closable:
    def __init__(self) -> None:
        self.was_closed = False

    def close_idle(self) -> None:
        self.was_closed = True


def test_the_connection_idle_for_longest_goes_first() -> None:
    connections = Connections(limit=3)
    one, two, three, four, five = (Closable() for _ in range(5))
    for each in (one, two, three):
        assert connections.opened(each)
    connections.busy(one)
    connections.busy(two)
    connections.idle(one)  # idle again, but for less long than the third
    assert connections.opened(four)
    assert (one.was_closed, two.was_closed, three.was_closed) == (False, False, True)
    connections.lost(three)
    assert connections.opened(five)
    assert (one.was_closed, two.was_closed) == (True, False)


def test_this_process_may_open_as_many_files_as_it_is_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1_000, before[1]), before[1]))
        assert 1 <= allow_many_files() < before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
