"""Every command of docs/security.md does what is said of it, in the order in which they stand there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from server.bootstrap import ROOT
from tests.documents.console import commands_in

COMMANDS = commands_in(ROOT / "docs" / "security.md")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the repository and can be written."""
    folder = tmp_path_factory.mktemp("place")
    for name in ("scripts", "models"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_document_works(place: Path, command: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FISHGATE_")}
    shell = ["bash", "-c", command]
    done = subprocess.run(shell, cwd=place, env=inherited, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_left_what_the_document_says(place: Path) -> None:
    if not (place / "boat.key").exists():
        pytest.skip("needs the commands before it")
    assert (place / "boat.key").stat().st_mode & 0o777 == 0o600
    assert (place / "owner").stat().st_mode & 0o777 == 0o600
    assert (place / "mine" / "manifest.json").is_file()
