"""The container: started as the image says, healthy, stopped, and ending with its server; in a jail, without an engine.

Two starts tell all: the whole as docker-compose.yml has it, and TorchServe alone with one model, as a pod has it.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.deploy import image
from tests.deploy.compose import service
from tests.deploy.jail import USER, Jail, reason_why_not

WHY_NOT = reason_why_not()
pytestmark = [pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)), pytest.mark.e2e]

KEYS = ("metrics_key", "healthcheck_key")
POD = ["--no-gateway", "--models", "expert", "--torchserve-listen", "0.0.0.0", "--no-tokens", "--device", "cpu"]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What an engine would have: the unpacked image, a volume, secrets."""
    folder = tmp_path_factory.mktemp("container")
    found = {name: folder / name for name in ("program", "state", "secrets", "stamp")}
    image.unpack(found["program"])
    for name in ("state", "secrets"):
        found[name].mkdir()
    os.chown(found["state"], USER, USER)
    for name in KEYS:
        (found["secrets"] / name).write_text(f"fg_{name}-{'x' * 32}\n")
        (found["secrets"] / name).chmod(0o644)
    # The build installs what requirements.txt says, and says so.
    found["stamp"].write_text(hashlib.sha256((found["program"] / "requirements.txt").read_bytes()).hexdigest() + "\n")
    return found


@pytest.fixture(scope="module")
def whole(parts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jail]:
    """The service `fishgate` of docker-compose.yml."""
    told = service("fishgate")
    environment = {**image.environment(), **told["environment"]}
    jail = Jail(tmp_path_factory.mktemp("whole"), command=told["command"], environment=environment, **parts)
    try:
        jail.wait_for("try ")
        yield jail
    finally:
        jail.destroy()


@pytest.fixture(scope="module")
def pod(parts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jail]:
    """TorchServe alone, on the volume of the whole one."""
    command = [*image.command()[:3], *POD]
    jail = Jail(tmp_path_factory.mktemp("pod"), command=command, environment=image.environment(), **parts)
    try:
        jail.wait_for("try ")
        yield jail
    finally:
        jail.destroy()


def test_the_health_check_of_the_image_identifies(whole: Jail) -> None:
    done = whole.run(image.health_command())
    assert (done.returncode, done.stdout) == (0, "it identifies: Gold Fish\n"), done.stderr


def test_without_a_key_the_health_check_asks_the_models(whole: Jail) -> None:
    done = whole.run(image.health_command(), FISHGATE_HEALTHCHECK_KEY_FILE="")
    assert (done.returncode, done.stdout) == (0, "it identifies: Gold Fish\n"), done.stderr


def test_a_wrong_key_is_unhealthy(whole: Jail) -> None:
    done = whole.run([*image.health_command(), "--key-file", "/opt/fishgate/LICENSE"])
    assert done.returncode == 1
    assert "it does not identify" in done.stderr


def test_only_gateway_and_metrics_are_reached_from_outside(whole: Jail) -> None:
    listening = whole.listening()
    assert {port for address, port in listening if address == "*"} == {8000, 7080, 8082}
    assert {port for address, port in listening if address == "loopback"} >= {8080, 8081, 7070, 7071}
    assert {address for address, _ in listening} == {"*", "loopback"}


def test_it_runs_as_its_user_without_any_capability(whole: Jail) -> None:
    for process in (whole.first, *whole.first.children(recursive=True)):
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines)
        assert status["Uid"].split() == [str(USER)] * 4
        assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh")} == {0}


@pytest.mark.parametrize("place", ["/opt/fishgate/x", "/opt/fishgate/models/x", "/etc/x", "/x"])
def test_nothing_but_the_volume_can_be_written(whole: Jail, place: str) -> None:
    assert "Read-only file system" in whole.run(["touch", place]).stderr
    assert whole.run(["touch", "/var/lib/fishgate/x", "/tmp/x"]).returncode == 0


def test_keys_are_made_in_a_running_container(whole: Jail) -> None:
    key = whole.run(["scripts/keys", "add", "survey"]).stdout.strip()
    address = ["--url", "http://127.0.0.1:8000", "samples/drawn_goldfish.jpg"]
    assert whole.run(["scripts/identify", *address], FISHGATE_KEY=key).returncode == 0
    assert whole.run(["scripts/identify", *address], FISHGATE_KEY=key + "x").returncode != 0


def test_no_key_stands_in_a_command_line_or_in_the_log(whole: Jail, parts: dict[str, Path]) -> None:
    commands = [" ".join(one.cmdline()) for one in whole.first.children(recursive=True)]
    logs = [path.read_text(errors="replace") for path in (parts["state"] / "run").glob("*.log")]
    for text in (*commands, *logs, *whole.said):
        assert not [name for name in KEYS if f"{name}-x" in text]


def test_told_to_end_it_ends_well_and_leaves_nothing(whole: Jail, parts: dict[str, Path]) -> None:
    below = whole.first.children(recursive=True)
    assert whole.end(signal.SIGTERM) == 0
    assert "fishgate: stopping" in whole.said
    assert not psutil.wait_procs(below, timeout=10)[1]
    assert not (parts["state"] / "run" / "key_file.json").exists()


def test_a_pod_identifies_with_its_one_model_and_asks_for_no_token(pod: Jail) -> None:
    done = pod.run(["python", "scripts/healthcheck", "--model", "expert"])
    assert (done.returncode, done.stdout) == (0, "it identifies: Gold Fish\n"), done.stderr
    assert pod.run(["scripts/healthcheck"]).returncode == 0
    assert pod.run(["scripts/healthcheck", "--model", "zero_shot"]).returncode == 1
    assert {port for address, port in pod.listening() if address == "*"} == {8080, 8082}


def test_it_ends_when_torchserve_dies(pod: Jail) -> None:
    [java] = pod.processes("org.pytorch.serve.ModelServer")
    java.kill()
    assert pod.status() == 1
    assert "fishgate: TorchServe has ended by itself" in pod.said
