"""The command as a user runs it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from fishgate_client.__main__ import main

from tests.client.command_line import rows, start
from tests.client.ports import closed_port
from tests.client.stand_in import ANSWER, KEY, StandIn, cut, fine, refusing
from tests.conftest import ROOT

Command = Callable[..., int]


@pytest.fixture
def command(server: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run the command against the stand-in, in a folder of its own; give the exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: main(["--url", server.url, *map(str, arguments)])


def test_json_gives_one_line_each_in_the_order_given(
    command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["", "#damaged", "#tench", "#unsupported", *[""] * 40, "#genus"]
    paths = [tmp_path / f"{99 - number}.jpg" for number in range(len(words))]
    for path, word in zip(paths, words, strict=True):
        path.write_bytes(f"{path.name} {word}".encode())
    paths.insert(1, tmp_path / "none.jpg")
    assert command("--json", *paths) == 1
    replies = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert replies[0] == ANSWER, "not the reply as it came"
    seen = [reply["error"]["code"] if "error" in reply else reply["label"] for reply in replies]
    assert seen == ["Carp", "unreadable_file", "damaged_image", "Tench", "unsupported_image", *["Carp"] * 40, "Barbus"]
    assert replies[1]["error"]["status"] == 400


def test_a_table_and_a_summary_are_shown(command: Command, capsys: pytest.CaptureFixture[str], reef: Path) -> None:
    (reef / "d.jpg").write_bytes(b"#nothing")
    assert command("reef", "--min-confidence", "0.5") == 0
    shown = capsys.readouterr().out
    lines = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines() if "│" in line]
    assert ["reef/b.jpg", "Carp", "Cyprinus carpio", "species", "93.0%", "expert", ""] in lines
    assert ["reef/d.jpg", "-", "-", "-", "20.0%", "expert", "unsure: perhaps Carp; below 0.5"] in lines
    assert ["Cyprinus carpio", "species", "3", "-", "Carp"] in lines
    assert ["not told", "-", "1", "1", "-"] in lines


def test_failures_are_listed_at_the_end(command: Command, capsys: pytest.CaptureFixture[str], reef: Path) -> None:
    (reef / "broken [1].jpg").write_bytes(b"#damaged")
    assert command("reef", "--out", "r.csv") == 1
    said = capsys.readouterr().err
    assert "1 of 4 failed:\n  reef/broken [1].jpg  damaged_image: the picture is cut off" in said
    assert [row["error_code"] for row in rows(Path("r.csv")) if row["error_code"]] == ["damaged_image"]


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


def test_torchserve_is_asked_directly(command: Command, server: StandIn, reef: Path) -> None:
    (reef / "bad.jpg").write_bytes(b"#damaged")
    assert command("--torchserve", "reef", "--top-k", "2", "--out", "r.jsonl") == 1
    assert {request["path"] for request in server.requests} == {"/wfpredict/fish"}
    assert {request["form"]["top_k"] for request in server.requests} == {"2"}
    assert len(rows(Path("r.jsonl"))) == 4


def test_a_server_that_goes_away_stops_the_run(
    command: Command, server: StandIn, capsys: pytest.CaptureFixture[str], reef: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fishgate_client.command import preparing
    from fishgate_client.retries import Retries

    monkeypatch.setattr(preparing, "PATIENCE", Retries(attempts=2, first_wait_s=0.01))
    server.troubles.extend([fine, *[cut()] * 2])
    assert command("--at-once", "1", "reef", "--out", "r.csv") == 1
    said = capsys.readouterr().err
    assert "unreachable" in said
    assert "1 of 3 were asked" in said
    assert "start it again with the same arguments" in said
    assert len(rows(Path("r.csv"))) == 1
    assert command("reef", "--out", "r.csv") == 0
    assert len(rows(Path("r.csv"))) == 3


def test_a_broken_server_is_not_asked_for_ever(
    command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "many").mkdir()
    for number in range(200):
        (tmp_path / "many" / f"{number:03}.jpg").write_bytes(f"{number} #broken".encode())
    assert command("many", "--out", "r.csv") == 2
    assert "20 pictures in a row failed, the last one with internal" in capsys.readouterr().err
    assert len(rows(Path("r.csv"))) < 100


def test_paths_come_from_standard_input(server: StandIn, reef: Path) -> None:
    for separator, options in (("\n", []), ("\0", ["-0"])):
        asked = start(server, "--json", *options, "-", cwd=reef.parent, stdin=-1)
        printed, said = asked.communicate(separator.join(["reef/b.jpg", "reef/deep", "none.jpg", ""]))
        assert asked.returncode == 1, said
        assert ["error" in json.loads(line) for line in printed.splitlines()] == [False, False, True]


def test_interrupting_ends_cleanly_and_can_be_gone_on_with(server: StandIn, reef: Path, tmp_path: Path) -> None:
    for number in range(40):
        (reef / f"{number}.jpg").write_bytes(f"picture {number}".encode())
    server.hold_after = 10
    out = tmp_path / "r.parquet"
    asked = start(server, "reef", "--out", out, cwd=tmp_path)
    server.wait_for(10)
    asked.send_signal(signal.SIGINT)
    _, said = asked.communicate(timeout=60)
    assert asked.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    before = rows(out)
    server.hold_after = None
    again = start(server, "reef", "--out", out, cwd=tmp_path)
    assert again.communicate(timeout=60)[0]
    assert again.returncode == 0
    assert rows(out)[: len(before)] == before
    assert len({row["path"] for row in rows(out)}) == len(rows(out)) == 43


def test_nobody_reading_is_no_accident(server: StandIn, tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.jpg").write_bytes(f"picture {number}".encode())
    asked = start(server, "--json", tmp_path)
    assert asked.stdout is not None
    asked.stdout.readline()
    asked.stdout.close()
    assert asked.stderr is not None
    assert "Traceback" not in asked.stderr.read()
    asked.stderr.close()
    assert asked.wait(60) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_files_that_may_not_be_read_are_failures(command: Command, reef: Path) -> None:
    (reef / "b.jpg").chmod(0)
    (reef / "deep").chmod(stat.S_IWUSR)
    assert command("reef", "--out", "r.csv") == 1
    codes = {row["path"]: row["error_code"] for row in rows(Path("r.csv"))}
    assert codes == {"reef/a.PNG": "", "reef/b.jpg": "unreadable_file", "reef/deep": "unreadable_file"}


ODD_NAMES = [
    "Fähre 🐟.jpg",
    "with\nline feed.jpg",
    "with, comma \"quoted\" 'and' [bold].jpg",
    "\x1b[31m.jpg",
    "back\\x41slash.jpg",
    os.fsdecode(b"broken \xff utf-8.jpg"),
    "-rf.jpg",
    "=1+1.jpg",
]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_odd_file_names_survive(command: Command, tmp_path: Path, form: str) -> None:
    (tmp_path / "odd").mkdir()
    for name in ODD_NAMES:
        (tmp_path / "odd" / name).write_bytes(b"a fish")
    out = Path(f"r.{form}")
    assert command("odd", "--out", out, "--sheet", "s.html") == 0
    assert len(rows(out)) == len(ODD_NAMES)
    before = out.read_bytes()
    assert command("odd", "--out", out, "--sheet", "s.html") == 0
    assert form == "parquet" or out.read_bytes() == before, "they were asked again"
    assert [row["path"] for row in rows(out) if "line feed" in row["path"]] == ["odd/with\\x0aline feed.jpg"]


def test_ranks_are_told_as_far_as_the_server_does(command: Command, tmp_path: Path) -> None:
    for word in ("carp", "tench", "genus", "untaxed", "nothing"):
        (tmp_path / f"{word}.jpg").write_bytes(f"#{word}".encode())
    expected = {
        "genus": {"carp": "Cyprinus", "tench": "Tinca", "genus": "Barbus", "untaxed": "Sea food", "nothing": ""},
        "family": {"carp": "Cyprinidae", "tench": "Tinca tinca", "genus": "Cyprinidae", "untaxed": "Sea food"},
        "species": {"carp": "Cyprinus carpio", "genus": "Barbus", "untaxed": "Sea food"},
    }
    for rank, taxa in expected.items():
        out = Path(f"{rank}.csv")
        assert command(tmp_path, "--rank", rank, "--out", out) == 0
        found = {Path(row["path"]).stem: row for row in rows(out)}
        assert {name: found[name]["taxon"] for name in taxa} == taxa
    assert found["tench"]["label"] == "Tench"
    notes = {Path(row["path"]).stem: row["note"] for row in rows(Path("family.csv"))}
    assert notes["tench"] == notes["untaxed"] == "the server does not tell its family"
    assert notes["carp"] == ""


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
