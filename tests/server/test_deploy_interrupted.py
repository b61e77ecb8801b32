"""Whatever interrupts the change of a model, the next call, or the next start, finds a clear state."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from gateway.traffic import TRAFFIC_FILE
from server.bootstrap import ROOT
from server.deploy.errors import DeployError
from server.deploy.journal import JOURNAL, Phase, read_journal
from server.deploy.leftovers import clear_leftovers
from server.verifying import check_store
from tests.server.deploy_bench import Bench
from tests.server.deploy_bench import bench as bench
from tests.server.versions_stand_in import Held

KILLS = {  # the request during which it is killed: whether the change is then brought to its end
    "POST /models": False,
    "POST /predictions/": False,
    "PUT /models/": True,
    "DELETE /models/fish__expert/1.0": True,
}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.parametrize("call", KILLS)
def test_whatever_interrupts_it_the_next_call_finds_a_clear_state(
    bench: Bench, call: str, number: signal.Signals
) -> None:
    interrupt(bench, call, number)
    is_removing = call.startswith("DELETE")
    if number is signal.SIGINT and not is_removing:  # then it has mended everything itself
        assert bench.is_as_before()
    assert bench.deployer().mend() is None
    is_over = KILLS[call] if number is signal.SIGKILL else is_removing
    assert bench.is_changed() if is_over else bench.is_as_before()


@pytest.mark.parametrize("call", KILLS)
def test_what_was_killed_is_rolled_back_unless_it_is_too_late(bench: Bench, call: str) -> None:
    interrupt(bench, call, signal.SIGKILL)
    if call.startswith("DELETE"):
        with pytest.raises(DeployError, match=r"too late: .*; deploy the old pack"):
            bench.deployer().roll_back()
        assert bench.is_changed()
    else:
        assert bench.deployer().roll_back() is True
        assert bench.is_as_before()


def interrupt(bench: Bench, call: str, number: signal.Signals) -> None:
    """Change the expert in another process, and send it a signal during a request."""
    bench.has_gateway = False
    held = bench.server.held = Held(call)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(bench.settings.home), str(bench.source.model)], cwd=ROOT)
    assert held.reached.wait(60)
    os.kill(child.pid, number)
    held.go.set()
    bench.server.held = None
    assert child.wait(60) != 0


CHILD = """
import sys, json
from pathlib import Path
from server.configuration import recall
from server.deploy.deploying import Deployer
from tests.server.deploy_bench import QUICK, source_in
home, model = map(Path, sys.argv[1:])
deployer = Deployer(recall(home), has_gateway=lambda: False, say=lambda text: None, limits=QUICK)
deployer.deploy("toy", [source_in(model)], golden=home)
"""


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.REMOVING], ids=lambda phase: phase.value)
def test_a_server_starts_from_a_clear_state(bench: Bench, phase: Phase) -> None:
    be_in(phase, bench)
    (bench.settings.home / "deploying").mkdir(exist_ok=True)
    clear_leftovers(bench.settings)
    check_store(bench.settings.store)
    is_old = (bench.settings.store / "expert.mar").read_bytes() == b"old"
    assert is_old is (phase is Phase.CANARY)
    assert not (bench.settings.home / TRAFFIC_FILE).exists()
    assert not (bench.settings.home / "deploying").exists()
    assert read_journal(bench.settings.home) is None


def test_a_damaged_journal_is_named(bench: Bench) -> None:
    (bench.settings.home / JOURNAL).write_text("{")
    with pytest.raises(DeployError, match=r"deployment\.json cannot be read"):
        bench.deploy()


def be_in(phase: Phase, bench: Bench) -> None:
    """Make of a canary a change that was interrupted in another phase."""
    bench.deploy(share=0.1)
    journal = bench.settings.home / JOURNAL
    journal.write_text(json.dumps({**json.loads(journal.read_text()), "phase": phase.value}))


@pytest.mark.parametrize("phase", [Phase.SWITCHING, Phase.REMOVING], ids=lambda phase: phase.value)
def test_a_switch_that_was_interrupted_is_promoted(bench: Bench, phase: Phase) -> None:
    be_in(phase, bench)
    if phase is Phase.REMOVING:
        bench.server.default["fish__expert"] = bench.new
    bench.deployer().promote()
    assert bench.is_changed()


def test_what_was_not_ready_for_anybody_is_not_promoted(bench: Bench) -> None:
    be_in(Phase.PREPARING, bench)
    with pytest.raises(DeployError, match="no canary is under way"):
        bench.deployer().promote()
    assert bench.is_as_before()
