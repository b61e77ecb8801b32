"""The benchmark of the command: how its rate is read off the growing file, and that it explains itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.measure_client import steady_per_second
from benchmarks.outcome import MeasurementError
from tests.conftest import ROOT


def test_start_and_end_do_not_count() -> None:
    times = [(0.0, 0), (5.0, 50), (6.0, 150), (10.0, 550), (13.0, 900), (40.0, 1000)]
    assert steady_per_second(times, 1000) == pytest.approx((900 - 150) / (13.0 - 6.0))


@pytest.mark.parametrize("times", [[], [(0.0, 0), (1.0, 1000)], [(0.0, 0), (1.0, 500)]])
def test_a_run_that_was_not_seen_is_not_measured(times: list[tuple[float, int]]) -> None:
    with pytest.raises(MeasurementError, match="not seen at its work"):
        steady_per_second(times, 1000)


def test_it_explains_itself() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "client"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert "--record" in done.stdout
