"""What the doctor says of processes: real ones, that stand in for TorchServe, and a real gateway."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from server import gateway_process
from server.configuration import Settings, free_ports
from server.doctor.finding import Finding, State
from server.doctor.processes import check_gateway, check_torchserve
from server.doctor.tokens import check_tokens
from tests.gateway.torchserve_stand_in import running


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    told = Settings(home=tmp_path, ports=free_ports())
    told.temporary.mkdir()
    yield told
    gateway_process.stop(told, limit_s=20)


@contextmanager
def process_with(*arguments: str) -> Iterator[int]:
    """A process with these arguments, which does nothing."""
    command = [sys.executable, "-c", "print(1, flush=True); input()", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        yield child.pid
        child.communicate(b"\n", timeout=30)


def one(found: Iterator[Finding]) -> tuple[State, str]:
    [finding] = found
    return finding.state, finding.seen


def test_nothing_that_runs_is_a_warning(settings: Settings) -> None:
    assert one(check_torchserve(settings)) == (State.WARNING, "it does not run")
    assert one(check_gateway(settings)) == (State.WARNING, "it does not run")


def test_a_torchserve_that_does_not_answer_is_found(settings: Settings) -> None:
    with process_with(str(settings.home)) as pid:
        (settings.temporary / ".model_server.pid").write_text(str(pid))
        state, seen = one(check_torchserve(settings))
        assert (state, "it runs, and does not answer" in seen) == (State.BROKEN, True)
        state, seen = one(check_gateway(settings))
        assert (state, "it does not run, though the other" in seen) == (State.BROKEN, True)
        state, seen = one(check_tokens(settings))
        assert (state, "key_file.json is gone" in seen) == (State.BROKEN, True)


def test_workers_that_were_left_behind_are_found(settings: Settings) -> None:
    with process_with("--sock-name", str(settings.temporary / ".ts.sock.9000")) as pid:
        assert one(check_torchserve(settings)) == (
            State.BROKEN,
            f"it has ended and left processes behind: {pid}",
        )


def test_a_gateway_before_no_models_is_found_not_ready(settings: Settings) -> None:
    gateway_process.start(settings)
    while (found := next(check_gateway(settings))).seen.startswith("it runs, and does not answer"):
        pass
    assert (found.state, found.seen.startswith("it is not ready")) == (State.BROKEN, True)


def test_a_gateway_is_found_ready_and_then_out_of_date(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(token="the token") as models:
        settings = replace(settings, ports=replace(settings.ports, inference=models.port))
        models.write_key_file(settings.key_file)
        process = gateway_process.start(settings)
        gateway_process.wait_until_ready(settings, process, limit_s=120)
        assert one(check_gateway(settings))[0] is State.GOOD
        monkeypatch.setenv("FISHGATE_GATEWAY_BATCH_PICTURES", "7")
        ready, old = check_gateway(settings)
        assert ready.state is State.GOOD
        assert (old.state, "with other settings" in old.seen) == (State.WARNING, True)


def test_a_host_without_gateway_needs_none(settings: Settings) -> None:
    assert one(check_gateway(replace(settings, has_gateway=False)))[0] is State.GOOD
