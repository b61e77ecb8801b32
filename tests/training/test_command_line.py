"""The command line explains itself at once, and says what is wrong in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from training.command_line import NEWEST, parse

COMMAND = ROOT / "training" / "run"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, COMMAND, *arguments], capture_output=True, text=True, timeout=120)


def test_help_names_the_options_and_imports_nothing_heavy():
    assert os.access(COMMAND, os.X_OK)
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", COMMAND, "--help"], capture_output=True, text=True, timeout=60
    )
    for option in ("--resume", "--output", "--set"):
        assert option in shown.stdout
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"torch", "numpy", "pydantic", "PIL"}


def test_a_wrong_recipe_ends_the_command_with_one_line():
    done = run("training/recipes/demo_expert.toml", "--set", "stages.0.epoch=3")
    assert done.returncode == 1
    assert done.stderr.startswith("training: demo_expert.toml: unknown key 'stages.0.epoch'; allowed here: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a recipe, or the folder of a run with --resume"),
        (["--resume"], "give a recipe, or the folder of a run with --resume"),
        (["a.toml", "--resume", "x", "--output", "y"], "--output names a new folder, --resume one that is there"),
    ],
    ids=["nothing", "the newest of nothing", "old and new folder"],
)
def test_a_command_line_without_sense_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        parse(arguments)
    assert message in capsys.readouterr().err


def test_options_are_parsed():
    options = parse(["a.toml", "--set", "seed=1", "--set", "name=x", "--resume"])
    assert (options.recipe, options.resume, options.overrides) == (Path("a.toml"), NEWEST, ("seed=1", "name=x"))
