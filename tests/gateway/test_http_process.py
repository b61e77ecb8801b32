"""The gateway as a process: how it starts, why it does not, and how it ends."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from gateway.http.connections import allow_many_files
from server.configuration import free_ports
from tests.conftest import ROOT
from tests.gateway.conftest import drawn
from tests.gateway.sockets import head
from tests.gateway.torchserve_stand_in import StandIn, running


class Process:
    """A running gateway."""

    def __init__(self, home: Path, **variables: str) -> None:
        ports = free_ports()
        told = {"HOME": str(home), "PORT": str(ports.gateway), "GRPC_PORT": str(ports.gateway_grpc), **variables}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FISHGATE_")}
        environment = {**inherited, **{f"FISHGATE_GATEWAY_{name}": value for name, value in told.items()}}
        self.url = f"http://127.0.0.1:{told['PORT']}"
        self.address = ("127.0.0.1", int(told["PORT"]))
        self.child = subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, path: str, status: int) -> None:
        """Wait until an address answers with a status."""
        while self.child.poll() is None:
            try:
                if requests.get(f"{self.url}{path}", timeout=10).status_code == status:
                    return
            except requests.RequestException:
                pass
            threading.Event().wait(0.05)
        raise AssertionError(self.said())

    def said(self) -> str:
        """Wait until it has ended; return what it printed on both outputs."""
        out, error = self.child.communicate(timeout=60)
        return f"{out}\n{error}"


Start = Callable[..., Process]


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with running() as models:
        yield models


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start gateways; what still runs at the end of the test is killed."""
    with ExitStack() as stack:

        def started(**variables: str) -> Process:
            return stack.enter_context(_running(tmp_path, **variables))

        yield started


@contextmanager
def _running(home: Path, **variables: str) -> Iterator[Process]:
    process = Process(home, **variables)
    try:
        yield process
    finally:
        if process.child.poll() is None:
            process.child.kill()
            process.child.communicate()


def test_it_identifies_and_ends_with_0_when_told_to(start: Start, stand_in: StandIn) -> None:
    gateway = start(TORCHSERVE_URL=stand_in.url)
    gateway.until("/readyz", 200)
    reply = requests.post(f"{gateway.url}/v1/identify", data=drawn(), timeout=30)
    assert reply.status_code == 200, reply.text
    gateway.child.send_signal(signal.SIGTERM)
    said = gateway.said()
    assert gateway.child.returncode == 0, said
    assert '"path":"/v1/identify","status":200' in said
    assert "listening on 127.0.0.1" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_finished_before_it_ends(start: Start, stand_in: StandIn, number: signal.Signals) -> None:
    gateway = start(TORCHSERVE_URL=stand_in.url)
    gateway.until("/readyz", 200)
    stand_in.expert.hold.clear()
    before = len(stand_in.expert.packets)
    replies: list[requests.Response] = []
    picture = drawn(40, 30)
    asking = threading.Thread(
        target=lambda: replies.append(requests.post(f"{gateway.url}/v1/identify", data=picture, timeout=30))
    )
    asking.start()
    while len(stand_in.expert.packets) == before:
        threading.Event().wait(0.01)
    gateway.child.send_signal(number)
    gateway.until("/readyz", 503)
    late = requests.post(f"{gateway.url}/v1/identify", data=picture, timeout=30)
    assert (late.status_code, late.headers["connection"]) == (503, "close")
    assert gateway.child.poll() is None
    stand_in.expert.hold.set()
    asking.join(30)
    assert [reply.status_code for reply in replies] == [200]
    said = gateway.said()
    assert gateway.child.returncode == 0, said


def test_while_it_is_leaving_it_answers_and_sends_everybody_elsewhere(start: Start, stand_in: StandIn) -> None:
    gateway = start(TORCHSERVE_URL=stand_in.url, LAME_DUCK_S="300")
    gateway.until("/readyz", 200)
    with requests.Session() as kept_alive:
        first = kept_alive.post(f"{gateway.url}/v1/identify", data=drawn(), timeout=30)
        gateway.child.send_signal(signal.SIGTERM)
        gateway.until("/readyz", 503)
        replies = [first, *(kept_alive.post(f"{gateway.url}/v1/identify", data=drawn(), timeout=30) for _ in range(3))]
    assert [(reply.status_code, reply.headers.get("connection")) for reply in replies] == [
        (200, None),
        *[(200, "close")] * 3,
    ]
    gateway.child.send_signal(signal.SIGTERM)
    said = gateway.said()
    assert gateway.child.returncode == 0, said


def test_when_its_time_is_over_it_ends_by_itself(start: Start, stand_in: StandIn) -> None:
    gateway = start(TORCHSERVE_URL=stand_in.url, LAME_DUCK_S="0.3")
    gateway.until("/readyz", 200)
    gateway.child.send_signal(signal.SIGTERM)
    said = gateway.said()
    assert gateway.child.returncode == 0, said


def test_a_second_signal_does_not_wait(start: Start, stand_in: StandIn) -> None:
    gateway = start(TORCHSERVE_URL=stand_in.url)
    gateway.until("/readyz", 200)
    with socket.create_connection(gateway.address, timeout=30) as busy:
        busy.sendall(head("/v1/identify", "Content-Length: 5000") + b"x")
        gateway.until("/livez", 200)
        gateway.child.send_signal(signal.SIGTERM)
        gateway.until("/readyz", 503)
        gateway.child.send_signal(signal.SIGTERM)
        said = gateway.said()
    assert gateway.child.returncode == 0, said


def test_ten_thousand_connections_opened_and_left_do_no_harm(start: Start, stand_in: StandIn) -> None:
    allow_many_files()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    gateway = start(TORCHSERVE_URL=stand_in.url)
    gateway.until("/readyz", 200)
    with ExitStack() as stack:
        for _ in range(min(10_000, soft - 1_000)):
            stack.enter_context(socket.create_connection(gateway.address, timeout=30))
        for number in range(20):
            reply = requests.post(f"{gateway.url}/v1/identify", data=drawn(20 + number), timeout=30)
            assert reply.status_code == 200, reply.text
    assert requests.get(f"{gateway.url}/readyz", timeout=30).status_code == 200


def test_torchserve_may_go_and_come_back_under_load(start: Start, stand_in: StandIn) -> None:
    gateway = start(TORCHSERVE_URL=stand_in.url, DEADLINE_S="4")  # so long /readyz tries before it says no
    gateway.until("/readyz", 200)
    is_over = threading.Event()
    replies: list[requests.Response] = []

    def ask(first: int) -> None:
        for number in range(first, 100_000, 6):
            if is_over.is_set():
                return
            picture = drawn(20 + number % 100, 20 + number // 100)
            headers = {"X-Deadline-Ms": "2000"}
            replies.append(requests.post(f"{gateway.url}/v1/identify", data=picture, headers=headers, timeout=30))

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in asking:
        thread.start()
    stand_in.vanish()
    gateway.until("/readyz", 503)
    stand_in.listen()
    gateway.until("/readyz", 200)
    is_over.set()
    for thread in asking:
        thread.join(30)
    codes = {reply.json().get("error", {}).get("code") for reply in replies}
    assert None in codes  # some were answered
    assert codes <= {None, "overloaded", "timed_out"}
    assert requests.post(f"{gateway.url}/v1/identify", data=drawn(), timeout=30).status_code == 200


def test_it_comes_up_before_torchserve_and_gets_ready_with_it(start: Start) -> None:
    port = free_ports().inference
    gateway = start(TORCHSERVE_URL=f"http://127.0.0.1:{port}")
    gateway.until("/livez", 200)
    assert requests.get(f"{gateway.url}/readyz", timeout=30).status_code == 503
    with running(port=port):
        gateway.until("/readyz", 200)


REFUSALS = {
    "unknown setting": ({"PROT": "1"}, "unknown key 'prot'"),
    "public without keys": ({"HOST": "0.0.0.0", "KEYS_REQUIRED": "false"}, "without API keys"),
    "a host that is no address": ({"HOST": "fish.invalid"}, "'fish.invalid'"),
}


@pytest.mark.parametrize(("variables", "message"), REFUSALS.values(), ids=REFUSALS)
def test_it_does_not_start_with_wrong_settings(start: Start, variables: dict[str, str], message: str) -> None:
    gateway = start(**variables)
    said = gateway.said()
    assert gateway.child.returncode == 1
    assert message in said
    assert "does not start" in said
    assert "Traceback" not in said


def test_it_does_not_start_on_a_port_that_is_taken(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gateway = start(PORT=str(taken.getsockname()[1]))
        said = gateway.said()
    assert gateway.child.returncode == 1
    assert "cannot listen on 127.0.0.1" in said


def test_it_does_not_start_with_keys_that_cannot_be_read(start: Start, tmp_path: Path) -> None:
    (tmp_path / "api_keys.json").write_text(json.dumps({"keys": [{"name": "boat"}]}))
    gateway = start()
    assert "cannot read its API keys" in gateway.said()
    assert gateway.child.returncode == 1
