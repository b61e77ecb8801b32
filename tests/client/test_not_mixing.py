"""Results that are kept are those of one set of settings, one server's models and one run at a time, and say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fishgate_client.__main__ import main

from tests.client.command_line import rows, start
from tests.client.kept import identify
from tests.client.stand_in import StandIn

forms = pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])


OTHERS: dict[str, tuple[list[str], str]] = {
    "option": (["--top-k", "3"], "top_k was None and is 3"),
    "labels": (["--labels", "Carp"], "labels was None"),
    "rank": (["--rank", "genus"], "rank was None and is 'genus'"),
    "confidence": (["--min-confidence", "0.5"], "min_confidence was None and is 0.5"),
}


@pytest.mark.parametrize(("arguments", "message"), OTHERS.values(), ids=OTHERS)
def test_other_settings_are_not_mixed(
    server: StandIn, pictures: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    identify(server, "r.csv")
    before = Path("r.csv").read_bytes()
    (pictures / "new.jpg").write_bytes(b"new")
    assert identify(server, "r.csv", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "--again" in said
    assert Path("r.csv").read_bytes() == before
    assert identify(server, "r.csv", "--again", *arguments) == 1
    assert len(rows(Path("r.csv"))) == 61
    assert Path("r.csv.old").read_bytes() == before


@pytest.mark.parametrize("torchserve", [False, True], ids=["gateway", "torchserve"])
def test_other_models_are_not_mixed(
    server: StandIn, pictures: Path, capsys: pytest.CaptureFixture[str], torchserve: bool
) -> None:
    way = ["--torchserve"] if torchserve else []
    identify(server, "r.csv", *way)
    (pictures / "new.jpg").write_bytes(b"new")
    server.version = "toy-2"
    assert identify(server, "r.csv", *way) == 2
    assert "by expert 'toy-1', now it is 'toy-2'" in capsys.readouterr().err
    assert len({row["expert_model"] for row in rows(Path("r.csv"))} - {""}) == 1


def test_models_that_change_meanwhile_stop_the_run(
    server: StandIn, pictures: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server.hold_after = 20
    asked = start(server, "photos", "--out", "r.csv", cwd=tmp_path)
    server.wait_for(20)
    server.version = "toy-2"
    server.hold_after = None
    _, said = asked.communicate(timeout=60)
    assert asked.returncode == 1
    assert "by expert 'toy-1', now it is 'toy-2'" in said
    assert {row["expert_model"] for row in rows(tmp_path / "r.csv")} <= {"toy-1", ""}


def test_results_without_provenance_are_left_alone(
    server: StandIn, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identify(server, "r.csv")
    Path("r.csv.provenance.json").unlink()
    assert identify(server, "r.csv") == 2
    assert "provenance beside it is gone" in capsys.readouterr().err


def test_two_runs_do_not_write_one_file(server: StandIn, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.hold_after = 5
    first = start(server, "photos", "--out", "r.csv")
    server.wait_for(5)
    assert identify(server, "r.csv") == 2
    assert "another run is writing r.csv" in capsys.readouterr().err
    server.hold_after = None
    first.communicate(timeout=60)
    assert len(rows(Path("r.csv"))) == 60


@forms
def test_nothing_left_needs_no_server(server: StandIn, pictures: Path, form: str) -> None:
    for number in (7, 27, 47):
        (pictures / f"{number:02}.jpg").unlink()
    identify(server, f"r.{form}")
    before = rows(Path(f"r.{form}"))
    nobody = StandIn(url="http://127.0.0.1:9")
    assert identify(nobody, f"r.{form}") == 0
    assert rows(Path(f"r.{form}")) == before


def test_provenance_tells_where_results_come_from(server: StandIn, pictures: Path) -> None:
    url = server.url.replace("//", "//user:secret@")
    assert main(["--url", url, "photos", "--out", "r.csv", "--top-k", "2"]) == 1
    assert main(["--url", url, "photos", "--out", "r.csv", "--top-k", "2"]) == 1
    text = Path("r.csv.provenance.json").read_text()
    told: dict[str, Any] = json.loads(text)
    assert told["settings"]["top_k"] == 2
    assert told["models"]["expert"]["version"] == "toy-1"
    assert told["server"]["address"] == server.url
    assert told["pictures"] == {"answered": 57, "failed": 3, "unsure": 0}
    assert [(run["how"], run["answered"], run["failed"], run["done_before"]) for run in told["runs"]] == [
        ("done", 57, 3, 0),
        ("done", 0, 3, 57),
    ]
    assert "secret" not in text
