"""The line of result, the record and the exit status."""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

import pytest

from benchmarks import outcome as outcomes
from benchmarks.outcome import MeasurementError, Outcome, report, result_line, write_record

OUTCOME = Outcome(
    "losses",
    "lost = 0",
    True,
    {"lost": 0, "p99_ms": 12.345, "per_second": 188.26, "kills": {"expert": 2, "router": 1}},
    {"slowest_ms": 99.0},
)


def test_the_line_tells_figures_and_verdict() -> None:
    assert result_line(OUTCOME) == "losses: lost=0 p99_ms=12.3 per_second=188.3 kills=expert:2,router:1 PASS"


@pytest.mark.parametrize(
    ("is_reached", "ending"), [(True, "ratio=1.500 PASS"), (False, "ratio=1.500 MISS"), (None, "ratio=1.500")]
)
def test_a_miss_is_printed_as_a_miss(is_reached: bool | None, ending: str) -> None:
    assert result_line(Outcome("x", "", is_reached, {"ratio": 1.5})) == f"x: {ending}"


def test_a_record_holds_all_that_the_figures_depend_on(tmp_path: Path) -> None:
    path = write_record(OUTCOME, settings={"clients": 64}, hardware={"cores": 2}, folder=tmp_path / "results")
    assert path.name == f"losses-{date.today().isoformat()}.json"
    record = json.loads(path.read_text())
    assert record["figures"] == OUTCOME.figures
    assert record["details"] == {"slowest_ms": 99.0}
    assert (record["settings"], record["hardware"], record["reached"]) == ({"clients": 64}, {"cores": 2}, True)
    assert record["versions"]["torchserve"]


def test_what_could_not_be_measured_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(options: argparse.Namespace) -> Outcome:
        raise MeasurementError("the server has ended")

    assert report(measure, argparse.Namespace(record=False)) == outcomes.NOT_MEASURED
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "could not measure: the server has ended" in printed.err


def test_a_miss_is_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    missed = Outcome("x", "", False, {"ratio": 2.0})
    assert report(lambda options: missed, argparse.Namespace(record=False)) == 0
    assert capsys.readouterr().out == "x: ratio=2.000 MISS\n"


def test_only_on_demand_something_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "RESULTS", tmp_path)
    monkeypatch.setattr(outcomes, "ROOT", tmp_path)
    report(lambda options: OUTCOME, argparse.Namespace(record=False))
    assert not list(tmp_path.iterdir())
    report(lambda options: OUTCOME, argparse.Namespace(record=True, rounds=3, no_environment=False))
    assert json.loads(next(tmp_path.iterdir()).read_text())["settings"] == {"rounds": 3}
