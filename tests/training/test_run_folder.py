"""A run has its own folder, which tells what was run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.toy_recipes import toy_recipe
from training.run_folder import newest_run, open_run, write_json


def test_a_run_writes_down_its_recipe_and_its_versions(tmp_path: Path):
    recipe = toy_recipe()
    run = open_run(recipe, runs=tmp_path)
    assert run.path.parent == tmp_path
    assert run.path.name.startswith("toy-")
    assert run.read_recipe() == recipe
    versions = json.loads(run.versions.read_text())
    assert {"python", "torch", "timm", "commit", "device", "cores"} <= set(versions)


def test_two_runs_at_once_get_two_folders(tmp_path: Path):
    folders = {open_run(toy_recipe(), runs=tmp_path).path for _ in range(3)}
    assert len(folders) == 3


def test_the_newest_run_of_a_name_is_found(tmp_path: Path):
    for name in ("toy-20260101-000000", "toy-20260301-000000", "toy-big-20270101-000000", "toy-20260201-000000"):
        open_run(toy_recipe(), tmp_path / name)
    (tmp_path / "toy-20280101-000000").mkdir()  # no run ever began here
    assert newest_run("toy", runs=tmp_path).path.name == "toy-20260301-000000"


def test_no_run_to_go_on_with_is_said(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"there is no run of 'toy' in .*; start one without --resume"):
        newest_run("toy", runs=tmp_path)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path):
    path = tmp_path / "metrics.json"
    write_json(path, {"accuracy": 0.5})
    with pytest.raises(TypeError):
        write_json(path, {"accuracy": object()})
    assert json.loads(path.read_text()) == {"accuracy": 0.5}
