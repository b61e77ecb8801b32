"""Every command of docs/operations.md, one after the other, as its reader runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import requests

from server import gateway_process
from server.bootstrap import ROOT
from server.configuration import free_ports, recall
from tests.documents.console import commands_in
from tests.e2e.test_scripts import neighbouring_free_ports

DOCUMENT = ROOT / "docs" / "operations.md"
ALLOWED = {"scripts/doctor": {0, 1}}  # a warning is about this machine, and no fault of the command
TOLD = {  # what a command tells that really did something
    "scripts/deploy_model demo --only expert": "is served already",  # for real further down, by way of a canary
    "scripts/deploy_model demo --only expert --canary 0.1": "gets 10% of the packets",
    "scripts/deploy_model --canary 0.5": "gets 50% of the packets",
    "scripts/deploy_model --promote": "is removed;",
    "scripts/deploy_model --roll-back": "what was under way is undone",
}
TWO_HOSTS = ("127.0.0.1", "localhost")  # names of our one host
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".run", "model_store", "runs", "__pycache__", ".*_cache", ".hypothesis"
)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A copy of the project that may be changed, as its next version would."""
    copy = shutil.copytree(ROOT, tmp_path / "project", ignore=NOT_COPIED)
    (copy / ".venv").symlink_to(Path(sys.executable).parent.parent)
    return copy


@pytest.fixture
def environment(place: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Folders of our own, and this Python before all others; what runs at the end is stopped."""
    python = Path(sys.executable).parent
    variables = {
        **os.environ,
        "PATH": f"{python}:{os.environ['PATH']}",
        "FISHGATE_HOME": str(tmp_path / "home"),
        "FISHGATE_STORE": str(tmp_path / "store"),
    }
    yield variables
    subprocess.run(["scripts/stop"], cwd=place, env=variables, check=True, timeout=120)


def test_the_alerts_of_the_rules_are_those_that_are_explained() -> None:
    rules = "".join(path.read_text() for path in (ROOT / "deploy" / "monitoring" / "rules").glob("*.yml"))
    explained = re.findall(r"^### (Fishgate\w+)$", DOCUMENT.read_text(), re.MULTILINE)
    assert set(re.findall(r"alert: (\w+)", rules)) == set(explained)
    assert set(re.findall(r"operations\.md#(\w+)", rules)) == {name.lower() for name in explained}


def test_every_command_works(place: Path, environment: dict[str, str]) -> None:
    ports = f"--device cpu --base-port {neighbouring_free_ports()}"
    commands = commands_in(DOCUMENT)
    assert set(TOLD) < set(commands)
    for command in commands:
        if command.endswith("-m gateway"):
            run_gateway(command, place, environment)
            continue
        if command.startswith("scripts/deploy_model demo") and "--canary" in command:
            with (place / "models" / "expert" / "model-config.cpu.yaml").open("a") as config:
                config.write("# another version\n")
        here = command.replace("scripts/serve", f"scripts/serve {ports}")
        if "8000" in here:
            here = here.replace("http://127.0.0.1:8000", recall(Path(environment["FISHGATE_HOME"])).gateway_url)
        done = subprocess.run(here, shell=True, cwd=place, env=environment, capture_output=True, text=True, timeout=290)
        assert done.returncode in ALLOWED.get(command.split()[0], {0}), f"{command}: {done.stdout}{done.stderr}"
        assert TOLD.get(command, "") in done.stdout + done.stderr
    logs = {path.name for path in Path(environment["FISHGATE_HOME"]).glob("*.log")}
    assert set(re.findall(r"^\| `(\w+\.log)` \|", DOCUMENT.read_text(), re.MULTILINE)) == logs


def run_gateway(command: str, place: Path, environment: dict[str, str]) -> None:
    """Start a gateway for several hosts, wait until it has identified a picture, and end it."""
    settings = recall(Path(environment["FISHGATE_HOME"]))
    ports = replace(free_ports(), inference=settings.ports.inference)
    own = {"FISHGATE_GATEWAY_PORT": str(ports.gateway), "FISHGATE_GATEWAY_GRPC_PORT": str(ports.gateway_grpc)}
    hosts = [f"{host}:{ports.inference}" for host in TWO_HOSTS]
    (place / "keys").mkdir()
    for host in TWO_HOSTS:
        shutil.copy(settings.key_file, place / "keys" / f"{host}.json")
    here = command.replace("http://a:8080,http://b:8080", ",".join(f"http://{host}" for host in hosts))
    assert here != command
    with settings.gateway_log.with_name("gateway_by_hand.txt").open("w") as log:
        started = subprocess.Popen(
            f"exec env {here}", shell=True, cwd=place, env={**environment, **own}, stdout=log, stderr=log
        )
    by_hand = replace(settings, ports=ports)
    try:
        gateway_process.wait_until_ready(by_hand, psutil.Process(started.pid), limit_s=240)
        figures = requests.get(f"{by_hand.gateway_url}/metrics", timeout=30).text
        assert [host for host in hosts if f'host="{host}"' in figures] == hosts
    finally:
        started.terminate()
        assert started.wait(60) == 0
