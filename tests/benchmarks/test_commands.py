"""The commands: help without the environment, and one of them whole against a real server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("losses", "isolation", "leaks", "overhead", "gpu", "species_lists", "soak", "hosts")
LIMIT_S = 170


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_explains_itself(command: str) -> None:
    asked = [sys.executable, str(ROOT / "benchmarks" / command), "--help"]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0
    assert "--record" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_told_of_in_the_readme(command: str) -> None:
    assert f"benchmarks/{command}" in (ROOT / "benchmarks" / "README.md").read_text()


def _ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for it; ask it to stop if it takes too long, so that it stops its server."""
    try:
        return process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        return process.communicate(timeout=60)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_gpu_benchmark_runs_on_a_cpu_with_tiny_networks() -> None:
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "gpu"),
        "--device",
        "cpu",
        "--tiny",
        "--no-environment",
        "--batch-sizes",
        "4",
        "--clients",
        "8",
        "--seconds",
        "1",
        "--processes",
        "1",
        "--pictures",
        "8",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    printed, progress = _ended(process)
    assert process.returncode == 0, progress
    line = printed.splitlines()[-1]
    assert line.startswith("gpu: expert_per_second=")
    figures = dict(part.split("=") for part in line.split()[1:])
    assert figures["lost"] == "0", json.dumps(figures)
    assert float(figures["expert_mean_batch"]) > 1.0
    assert float(figures["zero_shot_mean_batch"]) > 1.0
