"""What the command line may say: mistakes are explained, keys and labels are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.client.command_line import Command
from tests.client.ports import closed_port
from tests.client.stand_in import KEY, StandIn
from tests.client.troubles import refusing
from tests.conftest import ROOT

NOT_STARTED: dict[str, tuple[list[str], str]] = {
    "nobody there": (["--url", f"http://127.0.0.1:{closed_port()}", "reef"], "--url"),
    "a folder without pictures": (["empty"], "no picture in empty; taken are files that end in jpg"),
    "an empty list": (["--list", "/dev/null"], "there is no picture"),
    "no list": (["--list", "none.txt", "reef"], "none.txt cannot be read"),
    "an unknown form": (["reef", "--out", "r.xls"], ".csv, .jsonl, .parquet"),
    "a folder that is not there": (["reef", "--out", "none/r.csv"], "No such file"),
    "somebody else's file": (["reef", "--out", "reef/notes.csv"], "holds something else"),
    "no key": (["reef", "--key-file", "empty.key"], "no key in empty.key"),
}


@pytest.mark.parametrize(("arguments", "message"), NOT_STARTED.values(), ids=NOT_STARTED)
def test_what_cannot_start_ends_with_2(
    command: Command, capsys: pytest.CaptureFixture[str], reef: Path, arguments: list[str], message: str
) -> None:
    Path("empty").mkdir()
    Path("empty.key").touch()
    (reef / "notes.csv").write_text("fish,metres\ncarp,1")
    assert command(*arguments) == 2
    assert message in capsys.readouterr().err
    assert (reef / "notes.csv").read_text() == "fish,metres\ncarp,1"
    assert not list(Path().glob("r.*")), "it left something behind"


WRONG = {
    "nothing": ([], "no picture was named"),
    "labels ate the pictures": (["--labels", "Carp", "a.jpg"], "put -- between"),
    "again without out": (["a.jpg", "--again"], "there is no --out"),
    "two lists of labels": (["a.jpg", "--labels", "x", "--labels-file", "y"], "both name the candidates"),
    "confidence of 7": (["a.jpg", "--min-confidence", "7"], "from 0 to 1, got 7"),
    "none at once": (["a.jpg", "--at-once", "0"], "from 1, got 0"),
    "a rank that is none": (["a.jpg", "--rank", "kingdom"], "invalid choice"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_command_line_is_explained(
    command: Command, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        command(*arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_an_option_that_the_server_refuses_is_no_start(
    command: Command, server: StandIn, capsys: pytest.CaptureFixture[str], reef: Path
) -> None:
    server.troubles.append(refusing(400, "invalid_option"))
    assert command("reef/b.jpg", "--top-k", "0") == 2
    assert "invalid_option" in capsys.readouterr().err


@pytest.mark.parametrize("torchserve", [False, True], ids=["gateway", "torchserve"])
def test_the_key_comes_from_a_file_or_the_environment(
    command: Command, server: StandIn, reef: Path, monkeypatch: pytest.MonkeyPatch, torchserve: bool
) -> None:
    server.key = KEY
    way = ["--torchserve"] if torchserve else []
    assert command("reef", *way) == 2
    Path("key").write_text(KEY + "\n")
    Path("key_file.json").write_text(json.dumps({"inference": {"key": KEY}, "management": {"key": "another"}}))
    assert command("reef", "--key-file", "key", *way) == 0
    assert command("reef", "--key-file", "key_file.json", *way) == 0
    monkeypatch.setenv("FISHGATE_KEY", KEY)
    assert command("reef", *way) == 0


LABELS = {
    "names": ["--labels", "Carp", "Löffelstör", "--", "reef/b.jpg"],
    "a file": ["--labels-file", "names.txt", "reef/b.jpg"],
    "a text file": ["--labels", "names.txt", "reef/b.jpg"],
    "a marked file": ["reef/b.jpg", "--labels", "@names"],
}


@pytest.mark.parametrize("arguments", LABELS.values(), ids=LABELS)
def test_labels_are_names_or_a_file(command: Command, server: StandIn, reef: Path, arguments: list[str]) -> None:
    for name in ("names.txt", "names"):
        Path(name).write_text("\ufeffCarp\n\n  Löffelstör \n", encoding="utf-8")
    assert command(*arguments) == 0
    assert [request["form"] for request in server.requests] == [{"labels": '["Carp", "Löffelstör"]'}]


def test_help_and_mistakes_need_no_library() -> None:
    """The parser runs in a Python that has nothing installed."""
    import subprocess
    import sys

    command = [sys.executable, "-S", "-m", "fishgate_client"]
    environment = {"PYTHONPATH": str(ROOT / "client")}
    done = subprocess.run([*command, "--help"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--min-confidence" in done.stdout
    assert subprocess.run([*command, "--nothing"], env=environment, capture_output=True).returncode == 2
