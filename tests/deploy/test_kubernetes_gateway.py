"""The gateway's container, run as the manifest says, in a cluster where nothing else is there yet."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from gateway.keys import KEY_FILE, add_key
from tests.conftest import ROOT
from tests.deploy.manifests import GATEWAY, workload


@dataclass(frozen=True)
class Running:
    """The process, the address of its HTTP port, and a key that it knows."""

    process: subprocess.Popen[str]
    url: str
    key: str


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The gateway with the environment of its pod, but for ports and folders, which others have, and its farewell."""
    home, lists = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("lists")
    key = add_key(home / KEY_FILE, "test")
    home.chmod(0o500)  # a secret's folder cannot be written to
    pod = workload("cpu", GATEWAY)
    changed = {"PORT": "0", "GRPC_PORT": "0", "HOME": str(home), "SPECIES_LISTS": str(lists), "LAME_DUCK_S": "0"}
    environment = {**os.environ, **pod.environment, **{f"FISHGATE_GATEWAY_{n}": v for n, v in changed.items()}}
    command = [sys.executable, *pod.command[1:]]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        yield Running(process, f"http://127.0.0.1:{port_of(process)}", key)
        process.kill()
    home.chmod(0o700)


def port_of(process: subprocess.Popen[str]) -> int:
    """Read what the gateway says until it says where it listens."""
    assert process.stderr
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(r"HTTP port (\d+)", line):
            return int(found[1])
    raise AssertionError(f"the gateway ended: {said}")


def test_it_lives_though_no_host_has_a_name_yet(gateway: Running) -> None:
    container = workload("cpu", GATEWAY).container
    live, ready = (container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe"))
    assert requests.get(gateway.url + live, timeout=10).status_code == 200
    reply = requests.get(gateway.url + ready, timeout=10)
    assert reply.status_code == 503
    assert "not ready" in reply.json()["error"]["message"]


def test_it_lets_nobody_in_without_a_key_not_even_to_its_metrics(gateway: Running) -> None:
    assert requests.get(f"{gateway.url}/v1/species", timeout=10).status_code == 401
    assert requests.get(f"{gateway.url}/metrics", timeout=10).status_code == 401
    authorisation = {"Authorization": f"Bearer {gateway.key}"}
    assert (
        "fishgate_gateway_ready 0.0" in requests.get(f"{gateway.url}/metrics", headers=authorisation, timeout=10).text
    )


def test_it_ends_with_status_0_when_it_is_told_to(gateway: Running) -> None:
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(timeout=60) == 0


@pytest.mark.parametrize("variable", ["FISHGATE_GATEWAY_PORT", "FISHGATE_GATEWAY_SERVICE_HOST"])
def test_with_the_links_of_services_it_would_not_start(variable: str) -> None:
    """Why ``enableServiceLinks`` is false: what Kubernetes would tell of a Service named fishgate-gateway."""
    environment = {**os.environ, **workload("cpu", GATEWAY).environment, variable: "tcp://10.0.0.1:80"}
    done = subprocess.run(
        [sys.executable, "-m", "gateway"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "does not start" in done.stderr
