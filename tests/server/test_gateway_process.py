"""The gateway's process: started, found again, stopped, and never taken for another."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import requests

from server import gateway_process
from server.configuration import Ports, Settings, free_ports
from server.instance import StartError
from tests.conftest import ROOT
from tests.gateway.conftest import drawn
from tests.gateway.torchserve_stand_in import StandIn, running


@pytest.fixture(scope="module")
def models() -> Iterator[StandIn]:
    with running(token="the token") as stand_in:
        yield stand_in


@pytest.fixture
def settings(tmp_path: Path, models: StandIn) -> Iterator[Settings]:
    told = Settings(home=tmp_path, ports=replace(free_ports(), inference=models.port))
    models.write_key_file(told.key_file)
    yield told
    gateway_process.stop(told, limit_s=20)


def started(settings: Settings) -> psutil.Process:
    process = gateway_process.start(settings)
    gateway_process.wait_until_ready(settings, process, limit_s=120)
    return process


def test_a_started_gateway_is_ready_found_again_and_stopped(settings: Settings) -> None:
    process = started(settings)
    reply = requests.post(f"{settings.gateway_url}/v1/identify", data=drawn(), timeout=30)
    assert reply.status_code == 200, reply.text
    assert gateway_process.running(settings) == process
    assert gateway_process.is_current(settings)
    assert gateway_process.stop(settings)
    assert not process.is_running()
    assert gateway_process.running(settings) is None
    assert not gateway_process.stop(settings)


def test_other_settings_make_it_out_of_date(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    started(settings)
    assert not gateway_process.is_current(replace(settings, ports=Ports()))
    monkeypatch.setenv("FISHGATE_GATEWAY_BATCH_PICTURES", "7")
    assert not gateway_process.is_current(settings)


def test_a_gateway_whose_record_is_lost_is_stopped_too(settings: Settings) -> None:
    process = started(settings)
    (settings.home / "gateway.json").unlink()
    assert gateway_process.running(settings) is None
    assert gateway_process.stop(settings)
    assert not process.is_running()


def test_the_gateway_of_another_home_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    process = started(settings)
    other = replace(settings, home=tmp_path / "other")
    other.home.mkdir()
    (other.home / "gateway.json").write_text((settings.home / "gateway.json").read_text())
    assert gateway_process.running(other) is None
    assert not gateway_process.stop(other)
    assert process.is_running()


def test_another_process_with_its_number_is_left_alone(settings: Settings) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=ROOT)
    try:
        (settings.home / "gateway.json").write_text(f'{{"pid": {other.pid}, "fingerprint": "x"}}')
        assert gateway_process.running(settings) is None
        assert not gateway_process.stop(settings)
        assert other.poll() is None
    finally:
        other.communicate(b"\n")


def test_a_taken_port_is_named(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} is taken"):
            gateway_process.start(replace(settings, ports=replace(settings.ports, gateway=port)))


def test_what_it_says_when_it_does_not_start_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FISHGATE_GATEWAY_PROT", "1")
    process = gateway_process.start(settings)
    with pytest.raises(StartError, match=r"(?s)ended while starting.*unknown key 'prot'"):
        gateway_process.wait_until_ready(settings, process, limit_s=120)


def test_a_gateway_that_does_not_get_ready_is_given_up_with_its_reason(settings: Settings) -> None:
    away = replace(settings, ports=replace(settings.ports, inference=free_ports().inference))
    process = gateway_process.start(away)
    with pytest.raises(StartError, match="not ready in time"):
        gateway_process.wait_until_ready(away, process, limit_s=3)


def test_the_gateway_gets_where_everything_is(settings: Settings) -> None:
    told = gateway_process.environment(settings)
    assert told["FISHGATE_GATEWAY_TORCHSERVE_URL"] == settings.url
    assert told["FISHGATE_GATEWAY_TORCHSERVE_KEY_FILE"] == str(settings.key_file)
    assert told["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(("given", "is_elsewhere"), [(None, False), ("own", False), ("http://a:8080", True)])
def test_it_is_known_whether_it_should_ask_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, is_elsewhere: bool
) -> None:
    settings = Settings(home=tmp_path)
    if given is not None:
        monkeypatch.setenv("FISHGATE_GATEWAY_TORCHSERVE_URL", settings.url if given == "own" else given)
    assert gateway_process.asks_elsewhere(settings) is is_elsewhere
