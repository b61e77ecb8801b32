"""The doctor tells of a change of a model that nobody works on any more, and how to end it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.configuration import Settings
from server.deploy.alone import alone
from server.deploy.journal import JOURNAL, Change, Deployment, Phase, write_journal
from server.deploy.traffic import SEEN_FILE, TRAFFIC_FILE
from server.doctor.deployment import HALF_A_DAY_S, check_deployment, is_at_work
from server.doctor.finding import Finding, State

CHANGE = Change("expert", "fish__expert", old="1.0", new="demo-4-0123", stamp="0")
PATH = "fish__expert/demo-4-0123"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    told = Settings(home=tmp_path)
    told.temporary.mkdir()
    return told


@pytest.fixture
def server(settings: Settings) -> Iterator[None]:
    """A process that looks like TorchServe's."""
    command = [sys.executable, "-c", "print(1, flush=True); input()", str(settings.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        (settings.temporary / ".model_server.pid").write_text(str(child.pid))
        yield
        child.communicate(b"\n", timeout=30)


def found(settings: Settings) -> Finding:
    [finding] = check_deployment(settings)
    assert bool(finding.mend) is (finding.state is not State.GOOD)
    return finding


def began(settings: Settings, phase: Phase, *, hours_ago: float = 0.0) -> None:
    write_journal(settings.home, Deployment("demo", phase, (CHANGE,), share=0.1))
    when_s = time.time() - hours_ago * 3600
    os.utime(settings.home / JOURNAL, (when_s, when_s))


def test_without_a_change_all_is_well(settings: Settings) -> None:
    assert found(settings).seen == "no change of a model is under way"


HALF_DONE = {
    Phase.PREPARING: "--roll-back clears it away",
    Phase.SWITCHING: "--promote goes on with it, --roll-back undoes it",
    Phase.REMOVING: "--promote brings it to its end",
    Phase.ROLLING_BACK: "--roll-back goes on with it",
}


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("phase", "advice"), HALF_DONE.items(), ids=lambda value: str(getattr(value, "value", "")))
def test_a_half_done_change_is_told_unless_somebody_is_at_work(settings: Settings, phase: Phase, advice: str) -> None:
    began(settings, phase)
    told = found(settings)
    assert told.state is State.WARNING
    assert told.seen == f"a change to {PATH} is half done ({phase.value}), and nobody is at work on it"
    assert told.mend.startswith("look with scripts/deploy_model --status; ")
    assert told.mend.endswith(advice)
    with alone(settings.home, "scripts/deploy_model"):
        assert found(settings).seen == f"a change to {PATH} is under way ({phase.value})"
    assert found(settings).state is State.WARNING


@pytest.mark.usefixtures("server")
def test_a_canary_is_told_and_an_old_one_was_forgotten(settings: Settings) -> None:
    began(settings, Phase.CANARY)
    assert found(settings).seen == f"a canary gets 10% since 0 h: {PATH}"
    assert found(settings).state is State.GOOD
    began(settings, Phase.CANARY, hours_ago=HALF_A_DAY_S / 3600 + 1)
    told = found(settings)
    assert (told.state, told.seen) == (State.WARNING, f"a canary gets 10% since 13 h: {PATH}")
    assert told.mend.endswith("end it with scripts/deploy_model --promote or scripts/deploy_model --roll-back")


@pytest.mark.usefixtures("server")
def test_a_canary_that_the_gateway_set_aside_is_told_at_once(settings: Settings) -> None:
    began(settings, Phase.CANARY)
    (settings.home / TRAFFIC_FILE).write_text(json.dumps({"mark": "2"}))
    seen = {"mark": "1", "busy": {}, "set_aside": [PATH]}
    (settings.home / SEEN_FILE).write_text(json.dumps(seen))
    assert found(settings).state is State.GOOD  # it was of an earlier writing
    (settings.home / SEEN_FILE).write_text(json.dumps({**seen, "mark": "2"}))
    told = found(settings)
    assert told.state is State.WARNING
    assert f"the gateway sends {PATH} nothing any more" in told.seen
    assert "scripts/deploy_model --roll-back" in told.mend


@pytest.mark.parametrize("phase", Phase)
def test_a_start_of_the_server_clears_up(settings: Settings, phase: Phase) -> None:
    began(settings, phase)
    told = found(settings)
    assert told.state is State.WARNING
    assert "was under way when the server ended" in told.seen
    assert "scripts/serve" in told.mend


@pytest.mark.parametrize("content", ["", "[]", '{"phase": "canary"}', '{"phase": "?", "changes": []}'])
def test_a_journal_that_is_none_is_told(settings: Settings, content: str) -> None:
    (settings.home / JOURNAL).write_text(content)
    told = found(settings)
    assert (told.state, "deployment.json cannot be read" in told.seen) == (State.BROKEN, True)
    assert told.mend == "stop the server, remove the file, and start it"


def test_the_lock_is_seen_and_not_taken(settings: Settings) -> None:
    assert not is_at_work(settings.home)
    with alone(settings.home, "scripts/serve"):
        assert is_at_work(settings.home)
        assert is_at_work(settings.home)
    assert not is_at_work(settings.home)
