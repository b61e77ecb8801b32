"""What ``scripts/deploy_model`` says and refuses; it is run as a user runs it, before a stand-in for TorchServe."""

from __future__ import annotations

import json
import signal
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from server.archives import BuildError
from server.configuration import recall, remember
from server.deploy.alone import alone
from server.deploy.command import run
from server.deploy.journal import JOURNAL
from tests.server.deploy_bench import Bench
from tests.server.deploy_bench import bench as bench


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The command decides what a signal does; afterwards it is as before."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def called(bench: Bench, **more: Any) -> int:
    told = {"pack": None, "only": None, "golden": None, "canary": None}
    told |= {"promote": False, "roll_back": False, "status": False}
    return run(Namespace(**{**told, **more}, home=bench.settings.home))


def be_in(phase: str, bench: Bench) -> None:
    bench.deploy(share=0.1)
    journal = bench.settings.home / JOURNAL
    journal.write_text(json.dumps({**json.loads(journal.read_text()), "phase": phase}))


STATES = {  # the phase of a change: what --status says of it
    "canary": "gets 10% of the packets",
    "preparing": "--roll-back clears it away",
    "switching": "--promote goes on with it, --roll-back undoes it",
    "removing": "--promote brings it to its end",
    "rolling back": "--roll-back goes on with it",
}


@pytest.mark.parametrize(("phase", "said"), STATES.items(), ids=STATES)
def test_status_shows_what_is_under_way_and_ends_nothing(
    bench: Bench, capsys: pytest.CaptureFixture[str], phase: str, said: str
) -> None:
    be_in(phase, bench)
    with alone(bench.settings.home, "scripts/deploy_model"):  # it may be at work
        assert called(bench, status=True) == 0
    shown = capsys.readouterr().out
    assert f"expert: fish__expert/1.0, beside it {bench.new}" in shown
    assert "zero_shot: zero_shot/1.0" in shown
    assert said in shown
    assert json.loads((bench.settings.home / JOURNAL).read_text())["phase"] == phase


def test_status_tells_of_a_canary_that_was_set_aside(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.refused.add(bench.path)
    bench.deploy(share=0.1)
    called(bench, status=True)
    shown = capsys.readouterr().out
    assert f"{bench.path} gets no packets any more: the gateway set it aside" in shown
    assert "gets 10%" not in shown


@pytest.mark.parametrize(("phase", "said"), [("canary", "is undone"), (None, "nothing is under way")])
def test_rolling_back_says_whether_there_was_anything(
    bench: Bench, capsys: pytest.CaptureFixture[str], phase: str | None, said: str
) -> None:
    if phase is not None:
        be_in(phase, bench)
    assert called(bench, roll_back=True) == 0
    assert said in capsys.readouterr().err
    assert bench.is_as_before()


def test_what_is_left_is_told_with_what_ends_it(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    be_in("switching", bench)
    bench.server.failing = ["PUT /models", "DELETE /models"]
    assert called(bench, promote=True) == 1
    said = capsys.readouterr().err
    assert "rolling back did not go to its end" in said
    assert "a change is half done (rolling back); scripts/deploy_model --roll-back goes on with it" in said


def test_only_what_is_served_here_is_shown_and_changed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    remember(replace(recall(bench.settings.home), models="expert", has_gateway=False))
    del bench.server.versions["zero_shot"], bench.server.default["zero_shot"]
    assert called(bench, status=True) == 0
    assert "zero_shot" not in capsys.readouterr().out
    assert called(bench, pack="demo", only="zero_shot") == 1
    assert "zero_shot is not served here, only expert" in capsys.readouterr().err
    assert not [call for call in bench.server.calls if call.startswith("POST")]


def test_two_at_once_are_refused_with_the_name_of_the_other(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    with alone(bench.settings.home, "scripts/serve"):
        assert called(bench, pack="demo") == 1
    assert "scripts/serve is at work" in capsys.readouterr().err
    assert bench.server.calls == []


def test_the_lock_ends_with_its_block(bench: Bench) -> None:
    with pytest.raises(BuildError), alone(bench.settings.home, "scripts/serve"):
        raise BuildError("something went wrong")
    assert called(bench, roll_back=True) == 0


def test_a_home_without_server_is_named(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.settings = replace(bench.settings, home=bench.settings.home / "none")
    assert called(bench, status=True) == 1
    assert "there is no server in" in capsys.readouterr().err
