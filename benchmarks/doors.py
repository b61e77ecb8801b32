"""The doors that ``benchmarks/gateway`` knocks at: ours, the one written by hand, and TorchServe's own.

Each is a process on a free port of the loopback address and lasts as long as its context.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from benchmarks.outcome import MeasurementError, say
from server.bootstrap import ROOT
from server.configuration import free_ports
from server.management import MODEL_NAMES, TorchServe

PREFIX = "FISHGATE_GATEWAY_"
IDENTIFY = "/v1/identify"
_START_LIMIT_S = 300.0
_STOP_LIMIT_S = 60.0


@dataclass(frozen=True)
class Door:
    """Where to send pictures, what a good reply holds, and the numbers of the processes behind it, by name."""

    name: str
    port: int
    path: str = IDENTIFY
    token: str = ""
    expected: str = '"label"'
    pids: Mapping[str, list[int]] = field(default_factory=dict)


@contextmanager
def gateway_door(torchserve: TorchServe, home: Path, **settings: object) -> Iterator[Door]:
    """Start our gateway before ``torchserve``; ``settings`` are its settings by name, ``home`` its folder."""
    ports = free_ports()
    given = {
        "home": home,
        "port": ports.inference,
        "grpc_port": ports.grpc_inference,
        "torchserve_url": torchserve.settings.url,
        "torchserve_key_file": torchserve.settings.key_file,
        "access_log": home / "access.log",
        **settings,
    }
    home.mkdir(parents=True, exist_ok=True)
    environment = {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()}
    with _started("gateway", ["gateway"], environment, f"http://127.0.0.1:{ports.inference}/readyz") as process:
        yield Door("gateway", ports.inference, pids={"gateway": [process.pid]})


@contextmanager
def by_hand_door() -> Iterator[Door]:
    """Start the server written by hand, with both paced models in it."""
    port = free_ports().inference
    command = ["benchmarks.peers.by_hand", f"--port={port}"]
    with _started("by_hand", command, {}, f"http://127.0.0.1:{port}/readyz") as process:
        yield Door("by_hand", port, pids={"by_hand": [process.pid]})


def expert_door(torchserve: TorchServe) -> Door:
    """Return the way to TorchServe's expert alone, one picture a request."""
    return Door(
        "direct",
        torchserve.settings.ports.inference,
        path=f"/predictions/{MODEL_NAMES['expert']}",
        token=torchserve.token("inference"),
        expected='"candidates"',
    )


@contextmanager
def _started(
    name: str, command: list[str], environment: Mapping[str, str], ready_url: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module as a process until the block ends; give it once ``ready_url`` answers 200."""
    say(f"starting {name}")
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )
    try:
        _wait_until_ready(name, process, ready_url)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(name: str, process: subprocess.Popen[bytes], url: str) -> None:
    until_s = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < until_s:
        if process.poll() is not None:
            raise MeasurementError(f"{name} ended while starting, with status {process.returncode}")
        if _is_ready(url):
            return
        time.sleep(0.2)
    raise MeasurementError(f"{name} was not ready within {_START_LIMIT_S:.0f} seconds")


def _is_ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False
