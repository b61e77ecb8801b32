"""Running the command: in this process, or as a process of its own that can be killed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fishgate_client.command.parquet import parquet

from tests.client.stand_in import StandIn
from tests.conftest import ROOT

Command = Callable[..., int]
"""Runs the command in this process and gives its exit status."""


def start(server: StandIn | str, *arguments: object, **settings: Any) -> subprocess.Popen[str]:
    """Start the command as a process."""
    url = server if isinstance(server, str) else server.url
    command = [sys.executable, "-m", "fishgate_client", "--url", url, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client"), "COLUMNS": "200"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    return subprocess.Popen(command, env=environment, **{**pipes, **settings})


def rows(path: Path) -> list[dict[str, Any]]:
    """Read a result file of any form, as other programs would."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return list(parquet.read_table(path).to_pylist())
