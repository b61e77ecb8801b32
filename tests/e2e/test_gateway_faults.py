"""A gateway whose TorchServe is stopped, killed in parts and started again under load."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psutil
import pytest
import requests

from server import gateway_process
from server.instance import running, start, stop, wait_until_ready
from server.management import TorchServe
from tests.e2e.conftest import SAMPLE


@pytest.fixture
def door(paced: TorchServe, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a gateway before a server that may be harmed, with the settings that the test wants."""
    for name, value in getattr(request, "param", {}).items():
        monkeypatch.setenv(f"FISHGATE_GATEWAY_{name}", value)
    process = gateway_process.start(paced.settings)
    try:
        gateway_process.wait_until_ready(paced.settings, process, limit_s=240)
        yield paced.settings.gateway_url
    finally:
        gateway_process.stop(paced.settings)


class Load:
    """Eight clients that ask one picture after the other, each of them another one."""

    def __init__(self, door: str) -> None:
        self.codes: Counter[str] = Counter()
        self._door = door
        self._numbers = count()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(8)]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in self._threads:
                thread.join(90)

    def answers(self, number: int) -> None:
        """Wait until so many more requests were answered well."""
        wanted = self.codes["ok"] + number
        while self.codes["ok"] < wanted:
            self._is_over.wait(0.05)

    def _ask(self) -> None:
        with requests.Session() as session:
            while not self._is_over.is_set():
                picture = SAMPLE + b"%d" % next(self._numbers)  # behind its end: the same fish, another picture
                reply = session.post(f"{self._door}/v1/identify", data=picture, timeout=60)
                self.codes[reply.json().get("error", {}).get("code", "ok")] += 1


def until(door: str, status: int) -> None:
    while requests.get(f"{door}/readyz", timeout=60).status_code != status:
        threading.Event().wait(0.1)


@pytest.mark.parametrize("door", [{"DEADLINE_S": "8"}], indirect=True, ids=["8 s"])  # so long /readyz tries
def test_torchserve_is_stopped_and_started_again_under_load(paced: TorchServe, door: str) -> None:
    load = Load(door)
    with load.running():
        load.answers(20)
        stop(paced.settings)
        until(door, 503)
        java = start(paced.settings)
        wait_until_ready(paced.settings, java, SAMPLE, limit_s=240, say=lambda text: None)
        until(door, 200)
        load.answers(20)
    assert set(load.codes) <= {"ok", "overloaded", "timed_out"}, load.codes


def test_a_worker_that_is_killed_under_load_loses_no_request(paced: TorchServe, door: str) -> None:
    until(door, 200)
    load = Load(door)
    with load.running():
        load.answers(20)
        for worker in paced.describe("expert")["workers"]:
            psutil.Process(worker["pid"]).kill()
        load.answers(20)
    assert set(load.codes) == {"ok"}, load.codes
    assert running(paced.settings) is not None
