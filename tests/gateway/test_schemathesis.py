"""The OpenAPI page is true: hundreds of requests made of it, right and wrong, find nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.gateway.http_door import open_door


@pytest.mark.slow
@pytest.mark.parametrize("keys_required", [False, True], ids=["open", "with keys"])
def test_nothing_is_found_against_the_description(tmp_path: Path, keys_required: bool) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "lakes.csv").write_text("label,scientific_name\nPike,Esox lucius\n")
    with open_door(tmp_path, species_lists=lists, keys_required=keys_required) as door:
        door.do(door.readiness.ready())
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", f"{door.url}/openapi.json", *OPTIONS],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.gateway.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


OPTIONS = ["--max-examples", "30", "--seed", "7", "--generation-database", "none", "--suppress-health-check", "all"]
