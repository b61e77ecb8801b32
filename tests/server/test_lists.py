"""The server looks through the species lists before it starts, and notices what has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import lists
from server.archives import BuildError
from server.configuration import Settings
from server.lists import prepare_lists


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A server with an operator's folder of its own, and a pack without lists."""
    monkeypatch.setattr(lists, "ROOT", tmp_path / "root")
    (tmp_path / "own").mkdir()
    return Settings(home=tmp_path / "home", own_lists=tmp_path / "own")


class Preparing:
    """Stands in for ``packs.prepare_lists``, which would load a model: it copies the operator's lists."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, returncode: int = 0) -> None:
        self.commands: list[list[str]] = []
        self.returncode = returncode
        monkeypatch.setattr(lists.subprocess, "run", self)

    def __call__(self, command: list[str], cwd: Path) -> Preparing:
        self.commands.append(command)
        own, target = (Path(command[command.index(name) + 1]) for name in ("--lists", "--target"))
        target.mkdir(parents=True, exist_ok=True)
        for path in own.glob("*.csv"):
            (target / path.name).write_bytes(path.read_bytes())
        return self


def test_without_lists_nothing_is_run_and_nothing_changes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    preparing = Preparing(monkeypatch)
    assert not prepare_lists(settings, lambda text: None)
    assert preparing.commands == []
    assert not settings.lists.exists()


def test_a_new_list_is_a_change_and_the_same_again_is_none(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Preparing(monkeypatch)
    (settings.own_lists / "lake.csv").write_text("label\nPike\n")
    assert prepare_lists(settings, lambda text: None)
    assert not prepare_lists(settings, lambda text: None)
    (settings.own_lists / "lake.csv").write_text("label\nZander\n")
    assert prepare_lists(settings, lambda text: None)


def test_the_last_list_that_goes_is_a_change(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Preparing(monkeypatch)
    (settings.own_lists / "lake.csv").write_text("label\nPike\n")
    prepare_lists(settings, lambda text: None)
    (settings.own_lists / "lake.csv").unlink()
    assert prepare_lists(settings, lambda text: None)
    assert not settings.lists.exists()


def test_lists_of_the_pack_are_looked_through_too(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparing = Preparing(monkeypatch)
    folder = tmp_path / "root" / "models" / "zero_shot" / "demo" / "species_lists"
    folder.mkdir(parents=True)
    (folder / "sea.csv").write_text("label\nCod\n")
    prepare_lists(settings, lambda text: None)
    command = preparing.commands[0]
    assert command[command.index("--pack") + 1] == str(folder.parent)
    assert command[command.index("--device") + 1] == "cpu"


def test_a_list_that_cannot_be_served_stops_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Preparing(monkeypatch, returncode=1)
    (settings.own_lists / "lake.csv").write_text("colour\nblue\n")
    with pytest.raises(BuildError, match="the species lists cannot be served as they are; the line above says why"):
        prepare_lists(settings, lambda text: None)
