"""A Python for which nothing is locked gets a message that says what to do."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.bootstrap import BootstrapError, check_version
from tests.conftest import ROOT


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13)], ids=str)
def test_a_python_of_the_locked_ones_is_accepted(version: tuple[int, int]) -> None:
    check_version(version)


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 9), (3, 14), (4, 0)], ids=str)
def test_another_python_is_refused_with_what_to_do(version: tuple[int, int]) -> None:
    seen = "{}.{}".format(*version)
    with pytest.raises(BootstrapError, match=f"this is Python {seen}; Fishgate needs 3.10 to 3.13. Install one"):
        check_version(version)


def test_an_old_python_can_read_the_file_that_refuses_it() -> None:
    source = (ROOT / "server" / "bootstrap.py").read_text()
    ast.parse(source, feature_version=(3, 6))
    assert "from __future__ import annotations" not in source  # Python 3.6 does not know it


def test_where_installing_is_forbidden_it_is_said_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    for name in ("__init__.py", "bootstrap.py"):
        shutil.copy(ROOT / "server" / name, tmp_path / "server")
    (tmp_path / "requirements.txt").write_text("numpy\n")
    done = subprocess.run(
        [sys.executable, "-m", "server.bootstrap"],
        cwd=tmp_path,
        env={**os.environ, "FISHGATE_INSTALL": "never"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "is not what requirements.txt asks for, and FISHGATE_INSTALL=never" in done.stderr
    assert not (tmp_path / ".venv").exists()
