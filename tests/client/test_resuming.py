"""Results that are kept: nothing is lost, nothing stands there twice, and nothing is mixed."""

from __future__ import annotations

import os
import random
import signal
import threading
from pathlib import Path

import pytest
from fishgate_client.__main__ import main

from tests.client.command_line import rows, start
from tests.client.kept import codes, identify
from tests.client.stand_in import StandIn

forms = pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])


@forms
@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_and_nothing_twice(
    server: StandIn, pictures: Path, tmp_path: Path, form: str
) -> None:
    out = tmp_path / f"r.{form}"
    journal = out if form != "parquet" else tmp_path / "r.parquet.partial.jsonl"
    asked_when_written: dict[bytes, int] = {}
    counts = sorted(random.Random(form).sample(range(1, 58), 5))
    for count in counts:
        server.hold_after = count
        asked = start(server, "photos", "--out", out, cwd=tmp_path)
        server.wait_for(count)
        while count == counts[-1] and not written(journal, pictures) and asked.poll() is None:
            threading.Event().wait(0.02)  # one of the kills at least is to find something written
        asked.send_signal(signal.SIGKILL)
        asked.communicate(timeout=60)
        assert asked.returncode == -signal.SIGKILL
        for picture in written(journal, pictures):
            asked_when_written.setdefault(picture, server.asked[picture])
    server.hold_after = None
    start(server, "photos", "--out", out, cwd=tmp_path).communicate(timeout=60)
    assert sorted(row["path"] for row in rows(out)) == [f"photos/{number:02}.jpg" for number in range(60)]
    assert codes(out) == {"": 57, "damaged_image": 3}
    assert not [path for path in tmp_path.iterdir() if path.name.endswith((".new", ".partial.jsonl"))]
    assert asked_when_written
    assert {picture: server.asked[picture] for picture in asked_when_written} == asked_when_written


def written(journal: Path, pictures: Path) -> list[bytes]:
    """Return the pictures that have a whole line with an answer, as a reader would see it who knows nothing of us."""
    lines = journal.read_text("utf-8").splitlines(keepends=True) if journal.exists() else []
    good = [line for line in lines if line.endswith("\n") and "damaged_image" not in line]
    return [path.read_bytes() for path in sorted(pictures.iterdir()) if any(f"/{path.name}" in line for line in good)]


@forms
def test_what_is_done_is_not_asked_again_and_what_failed_is(server: StandIn, pictures: Path, form: str) -> None:
    out = Path(f"r.{form}")
    assert identify(server, out) == 1
    assert codes(out) == {"": 57, "damaged_image": 3}
    (pictures / "07.jpg").write_bytes(b"mended")
    server.asked.clear()
    assert identify(server, out) == 1
    assert codes(out) == {"": 58, "damaged_image": 2}
    assert sorted(server.asked) == [b"mended", b"picture 27 #damaged", b"picture 47 #damaged"]
    assert len({row["path"] for row in rows(out)}) == len(rows(out)) == 60


@forms
def test_a_picture_that_has_changed_is_asked_again_and_replaced(server: StandIn, pictures: Path, form: str) -> None:
    out = Path(f"r.{form}")
    identify(server, out)
    (pictures / "03.jpg").write_bytes(b"#tench")
    status = (pictures / "04.jpg").stat()
    os.utime(pictures / "04.jpg", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    server.asked.clear()
    identify(server, out)
    assert {b"#tench", b"picture 4 "} <= set(server.asked)
    assert server.asked.total() == 2 + 3
    found = {row["path"]: row for row in rows(out)}
    assert len(found) == len(rows(out)) == 60
    assert found["photos/03.jpg"]["taxon"] == "Tinca tinca"


@forms
def test_new_pictures_are_added(server: StandIn, pictures: Path, form: str) -> None:
    out = Path(f"r.{form}")
    identify(server, out)
    before = [row for row in rows(out) if row.get("taxon")]
    (pictures / "new.jpg").write_bytes(b"new")
    assert identify(server, out) == 1
    assert len(rows(out)) == 61
    assert rows(out)[:57] == before


def test_failures_of_other_folders_stay(server: StandIn, pictures: Path, tmp_path: Path) -> None:
    identify(server, "r.csv")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.jpg").write_bytes(b"x")
    assert main(["--url", server.url, "more", "--out", "r.csv"]) == 0
    assert codes(Path("r.csv")) == {"": 58, "damaged_image": 3}


def test_a_picture_named_twice_is_kept_once(server: StandIn, pictures: Path) -> None:
    assert main(["--url", server.url, "photos/01.jpg", "./photos/01.jpg", "photos/", "--out", "r.csv"]) == 1
    assert len(rows(Path("r.csv"))) == 60


TAILS = {
    "half a line": b"photos/00.jpg,12,2026-01",
    "a name only": b"photos/00.jp",
    "half a quoted cell": b'"photos/00',
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_a_torn_line_is_cut_off(server: StandIn, pictures: Path, tail: bytes) -> None:
    out = Path("r.csv")
    identify(server, out)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:-1]) + tail)
    identify(server, out)
    assert sorted(out.read_bytes().splitlines()) == sorted(whole.splitlines())


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_torn_at_every_byte_of_the_beginning(server: StandIn, pictures: Path, form: str) -> None:
    out = Path(f"r.{form}")
    for path in sorted(pictures.iterdir())[3:]:
        path.unlink()
    identify(server, out)
    whole = out.read_bytes()
    for size in [*range(0, 40, 3), len(whole) // 2, len(whole) - 1]:
        out.write_bytes(whole[:size])
        assert identify(server, out) == 0
        assert sorted(out.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_a_line_broken_in_the_middle_is_told(
    server: StandIn, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path("r.csv")
    identify(server, out)
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join([*lines[:3], b"nonsense\n", *lines[3:]]))
    assert identify(server, out) == 2
    assert "result 3 in r.csv cannot be read" in capsys.readouterr().err
