"""The command as a user runs it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path

import pytest

from tests.client.command_line import Command, rows, start
from tests.client.replies import ANSWER
from tests.client.stand_in import StandIn
from tests.client.troubles import cut, fine


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
