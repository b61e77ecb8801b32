"""The whole way of a linear probe on drawn fish, with a CLIP that has learnt nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from tests.training.toy_clip import NAME, register_toy_clip, write_checkpoint
from tests.training.toy_scenes import draw_scene
from training.encoders import ClipEncoder
from training.linear_head import LinearHead
from training.linear_probe import HEAD_FILE, run_linear_probe
from training.predictions import read_predictions
from training.recipe import LinearProbeRecipe
from training.run_folder import RunFolder, open_run

LEFT = {
    "recipe.toml",
    "versions.json",
    "history.json",
    "rates.json",
    "classes.json",
    "predictions.npz",
    "metrics.json",
    "head.safetensors",
    "plots",
    "report.html",
}


CLASSES = {"Gold Fish": "orange", "Trout": "blue", "Perch": "green"}
PHOTOS_A_CLASS = 20


def write_photos(folder: Path) -> Path:
    """Draw scenes in the light of their class, which an untrained network sees too; return the manifest."""
    lines = ["path,source,class,group"]
    rows = [("home", name) for name in CLASSES for _ in range(PHOTOS_A_CLASS)] + [("pond", "Trout"), ("river", "Perch")]
    for number, (source, name) in enumerate(rows):
        scene = draw_scene(number).resize((48, 48))
        Image.blend(scene, Image.new("RGB", scene.size, CLASSES[name]), 0.6).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{source},{name},g{number}")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> LinearProbeRecipe:
    folder = tmp_path_factory.mktemp("probe")
    register_toy_clip(folder / "configs")
    return LinearProbeRecipe.model_validate(
        {
            "kind": "linear_probe",
            "name": "toy",
            "data": {
                "manifest": str(write_photos(folder)),
                "sources": ["home"],
                "validation": 0.2,
                "calibration": 0.2,
                "test": 0.2,
            },
            "model": {"name": NAME, "checkpoint": str(write_checkpoint(folder / "toy.pt"))},
            "prompts": {"templates": ["a photo of a {}, a type of fish."]},
            "probe": {"epochs": 60, "rate": 0.05, "batch": 8},
            "cache": str(folder / "cache"),
        }
    )


@pytest.fixture(scope="module")
def run(recipe: LinearProbeRecipe, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = open_run(recipe, tmp_path_factory.mktemp("runs") / "toy")
    run_linear_probe(recipe, run)
    return run


@pytest.fixture(scope="module")
def methods(run: RunFolder) -> dict[str, Any]:
    return dict(json.loads(run.metrics.read_text())["methods"])


def test_a_run_leaves_what_it_must_and_nothing_unfinished(run: RunFolder):
    assert {path.name for path in run.path.iterdir()} == LEFT


def test_the_probe_learns_what_the_untrained_baseline_cannot_name(methods: dict[str, Any]):
    assert methods["zero_shot"]["all_kept_back"]["photographs"] == 12
    assert methods["zero_shot"]["all_kept_back"]["accuracy"] <= 0.5  # three classes, four pictures of each
    assert methods["linear_probe"]["all_kept_back"]["accuracy"] == 1.0
    assert methods["linear_probe"]["all_kept_back"]["macro_f1"] == 1.0


def test_sources_that_were_not_trained_on_are_told_apart(methods: dict[str, Any]):
    for figures in methods.values():
        assert set(figures["kept_back"]) == {"home"}
        assert set(figures["never_trained_sources"]) == {"pond", "river"}
        low, high = figures["never_trained_sources"]["pond"]["accuracy_interval"]
        assert high - low > 0.7  # of one picture little is known


def test_the_head_that_is_kept_gives_the_logits_that_were_measured(run: RunFolder):
    head = LinearHead(**load_file(run.path / HEAD_FILE))
    predictions = read_predictions(run.predictions)
    assert set(predictions.split) == {"validation", "calibration", "test", "foreign"}
    assert head.logits(predictions.features) == pytest.approx(predictions.logits, abs=1e-4)


def test_the_report_sets_both_side_by_side(run: RunFolder):
    page = run.report.read_text()
    assert "Zero-shot and linear probe" in page
    assert "a photo of a {}, a type of fish." in page


def test_a_second_run_encodes_no_picture_and_finds_the_same(
    recipe: LinearProbeRecipe, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def encode(self: ClipEncoder, batch: object) -> None:
        raise AssertionError("a picture was encoded again")

    monkeypatch.setattr(ClipEncoder, "encode", encode)
    again = open_run(recipe, tmp_path / "again")
    run_linear_probe(recipe, again)
    assert again.metrics.read_text() == run.metrics.read_text()
    assert np.array_equal(read_predictions(again.predictions).logits, read_predictions(run.predictions).logits)
