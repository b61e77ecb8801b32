"""What ``scripts/serve`` is told and remembers, what it refuses before it starts anything, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from server.archives import BuildError
from server.configuration import LOOPBACK, Settings, free_ports, remember
from server.deploy.alone import alone
from server.deploy.journal import Change, Deployment, Phase, read_journal, write_journal
from server.manifests import record_archive
from server.serving import present_device, serve, settings_from, stay
from server.starting import bring_up
from tests.server.toy_stores import write_store


def options(tmp_path: Path, **more: Any) -> Namespace:
    """The command line of scripts/serve, with these changes."""
    told: dict[str, Any] = {
        "packs": "demo",
        "device": "cpu",
        "foreground": False,
        "home": tmp_path / "home",
        "store": tmp_path / "store",
        "species_lists": None,
        "listen": None,
        "no_gateway": False,
        "models": "both",
        "torchserve_listen": None,
        "no_tokens": False,
        "metrics_listen": None,
        "base_port": None,
        "wait": 10.0,
    }
    return Namespace(**{**told, **more})


HALVES = ({"torchserve_listen": "0.0.0.0"}, {"no_tokens": True}, {"models": "expert"})


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_a_gateway_has_a_whole_torchserve_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], half: dict[str, Any]
) -> None:
    assert serve(options(tmp_path, **half)) == 1
    assert "add --no-gateway, or leave" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "something was begun"


def test_metrics_are_shown_where_torchserve_listens_unless_told_otherwise(tmp_path: Path) -> None:
    def hosts(**more: Any) -> tuple[str, str]:
        settings = settings_from(options(tmp_path, **more))
        return settings.torchserve_host, settings.metrics_host

    assert hosts() == (LOOPBACK, LOOPBACK)
    assert hosts(torchserve_listen="10.0.0.7") == ("10.0.0.7", "10.0.0.7")
    assert hosts(metrics_listen="0.0.0.0") == (LOOPBACK, "0.0.0.0")


def test_what_was_served_last_is_served_again_unless_another_is_named(tmp_path: Path) -> None:
    def told(**more: Any) -> tuple[str, str]:
        settings = settings_from(options(tmp_path, **{"packs": None, "device": None, **more}))
        return settings.pack, settings.device

    assert told() == ("demo", present_device("auto"))
    (tmp_path / "home").mkdir()
    remember(Settings(home=tmp_path / "home", pack="mine", device="gpu"))
    assert told() == ("mine", "gpu")
    assert told(packs="demo", device="cpu") == ("demo", "cpu")


CHANGE = Change("expert", "fish__expert", old="1.0", new="2.0", stamp="of the new one")


def begun(home: Path, phase: Phase, *, is_whole: bool = True) -> None:
    """A change to the pack `new` that nobody ended."""
    home.mkdir(exist_ok=True)
    write_journal(home, Deployment("new", phase, (CHANGE,), is_whole=is_whole))


@pytest.mark.parametrize(
    ("phase", "is_whole", "pack"),
    [(Phase.REMOVING, True, "new"), (Phase.REMOVING, False, "demo"), (Phase.SWITCHING, True, "demo")],
)
def test_a_change_that_could_not_say_what_is_served_now_is_believed(
    tmp_path: Path, phase: Phase, is_whole: bool, pack: str
) -> None:
    begun(tmp_path / "home", phase, is_whole=is_whole)
    assert settings_from(options(tmp_path, packs=None)).pack == pack


def test_a_pack_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(options(tmp_path, packs="sturgeons", no_gateway=True)) == 1
    assert "the model pack 'sturgeons' has no card for expert" in capsys.readouterr().err


def test_nothing_is_started_while_a_model_is_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "home").mkdir()
    with alone(tmp_path / "home", "scripts/deploy_model"):
        assert serve(options(tmp_path)) == 1
    assert "scripts/deploy_model is at work on the server" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_gateway_for_other_hosts_is_not_started_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FISHGATE_GATEWAY_TORCHSERVE_URL", "http://a:8080,http://b:8080")
    assert serve(options(tmp_path)) == 1
    assert "for several hosts with .venv/bin/python -m gateway" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "something was begun"


@pytest.fixture
def half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A server that runs while a new expert lies beside the old one; whatever is built then ends the start."""
    settings = settings_from(options(tmp_path, no_gateway=True))
    write_store(settings.store)
    (settings.store / CHANGE.archive).write_bytes(b"half done")
    record_archive(settings.store / CHANGE.archive)
    settings.home.mkdir()
    remember(settings)
    java: list[object] = [psutil.Process()]
    for module in ("starting", "instance"):
        monkeypatch.setattr(f"server.{module}.running", lambda settings: java[0])
    monkeypatch.setattr("server.starting.stop_all", lambda settings: java.__setitem__(0, None))

    def build(store: Path, **more: object) -> bool:
        raise BuildError("seen in the store: " + " ".join(sorted(path.name for path in store.glob("expert*"))))

    monkeypatch.setattr("server.starting.build", build)
    return settings


@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.value)
def test_a_change_that_is_half_done_is_over_before_anything_is_built(half_done: Settings, phase: Phase) -> None:
    begun(half_done.home, phase)
    with pytest.raises(BuildError, match=r"seen in the store: expert\.mar$"):
        bring_up(half_done, limit_s=1.0)
    assert read_journal(half_done.home) is None
    is_new = (half_done.store / "expert.mar").read_bytes() == b"half done"
    assert is_new is (phase is Phase.REMOVING)


def test_a_canary_goes_on_where_nothing_else_is_to_be_served(
    half_done: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(half_done.home, Phase.CANARY)
    monkeypatch.setattr("server.starting.outdated", lambda *given, **more: [])
    monkeypatch.setattr("server.starting.wait_until_ready", lambda *given, **more: {"label": "Gold Fish"})
    processes, answer = bring_up(half_done, limit_s=1.0)
    assert (processes, answer) == ([psutil.Process()], {"label": "Gold Fish"})
    assert read_journal(half_done.home) is not None


def test_a_pack_that_is_not_there_stops_nothing(half_done: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(half_done.home, Phase.CANARY)
    with pytest.raises(BuildError, match="'sturgeons' has no card"):
        bring_up(replace(half_done, pack="sturgeons"), limit_s=1.0)
    assert read_journal(half_done.home) is not None


@pytest.mark.parametrize(("dying", "said"), [(0, "TorchServe has ended"), (1, "the gateway has ended")])
def test_it_ends_when_one_of_its_processes_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dying: int, said: str
) -> None:
    commands = [[sys.executable, "-c", "input()"] for _ in range(2)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE) for command in commands]
    processes = [psutil.Process(one.pid) for one in started]
    processes[dying].kill()
    assert stay(Settings(home=tmp_path, ports=free_ports()), processes) == 1
    assert said in capsys.readouterr().err
    for one in started:
        one.communicate()
