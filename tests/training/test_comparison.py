"""Networks are compared on the same photographs, each once, and chosen by validation only."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from fishgate.device import Device
from fishgate.expert import load_expert
from tests.training.toy_photos import ToyWorld, make_toy_world
from tests.training.toy_recipes import TOY
from training import comparison
from training.comparison import compare, table_text
from training.recipe import ComparisonRecipe
from training.run_folder import RunFolder, open_run

COLUMNS = ["network", "initialisation", "size_px", "denoising", "epochs", "minutes", "megabytes"]
COLUMNS += ["validation_accuracy", "validation_macro_f1", "accuracy", "macro_precision", "macro_recall", "macro_f1"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ToyWorld:
    return make_toy_world(tmp_path_factory.mktemp("world"))


def toy_comparison(world: ToyWorld) -> ComparisonRecipe:
    networks = [
        {"library": "fishgate", "name": "small_cnn"},
        {"library": "fishgate", "name": "small_cnn", "label": "denoised", "denoising": {"method": "median"}},
        {"library": "torchvision", "name": "mobilenet_v2", "start": f"file:{world.weights}", "size_px": 48},
    ]
    table: dict[str, Any] = TOY | {"kind": "comparison", "networks": networks}
    del table["network"]
    table["data"] = table["data"] | {"manifest": str(world.photos / "manifest.csv")}
    return ComparisonRecipe.model_validate(table)


@pytest.fixture(scope="module")
def run(world: ToyWorld, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    recipe = toy_comparison(world)
    run = open_run(recipe, tmp_path_factory.mktemp("runs") / "comparison")
    compare(recipe, run)
    return run


def test_the_table_has_a_row_for_each_network_and_says_what_its_figures_hang_on(run: RunFolder, world: ToyWorld):
    with (run.path / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert [row["network"] for row in rows] == ["small_cnn", "denoised", "mobilenet_v2"]
    assert [row["initialisation"] for row in rows] == ["random", "random", f"file:{world.weights}"]
    assert [row["size_px"] for row in rows] == ["32", "32", "48"]
    assert [row["denoising"] for row in rows] == ["none", "median", "none"]
    assert {row["epochs"] for row in rows} == {"2"}
    assert (run.path / "comparison.md").read_text().count("\n") == 2 + len(rows)


def test_the_chosen_network_becomes_the_expert_with_labels_from_the_data(run: RunFolder):
    metrics = json.loads(run.metrics.read_text())
    best = max(metrics["networks"], key=lambda row: row["validation_macro_f1"])
    assert metrics["chosen"] == best["network"]
    card = load_expert(run.pack, Device("cpu")).card
    assert card.preprocessing.width_px == best["size_px"]
    assert [taxon.label for taxon in card.taxa] == ["Gold Fish", "Knifefish", "Trout"]
    assert card.metrics["all_kept_back"]["accuracy"] == best["accuracy"]


def test_networks_that_are_trained_are_not_trained_again(
    run: RunFolder, world: ToyWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("training.classifier.run_stages", lambda *_: pytest.fail("trained again"))
    before = run.metrics.read_text()
    compare(toy_comparison(world), run)
    assert run.metrics.read_text() == before


def test_the_choice_is_by_validation_and_never_by_test(
    run: RunFolder, world: ToyWorld, monkeypatch: pytest.MonkeyPatch
):
    validation = {"small_cnn": 0.2, "denoised": 0.9, "mobilenet_v2": 0.5}
    tested = {"small_cnn": 0.9, "denoised": 0.1, "mobilenet_v2": 0.5}
    described = comparison._described

    def scored(own: Any, network: Any, folder: Any) -> Any:
        row = described(own, network, folder)
        name = row["network"]
        return row | {"validation_macro_f1": validation[name], "accuracy": tested[name], "macro_f1": tested[name]}

    monkeypatch.setattr(comparison, "_described", scored)
    monkeypatch.setattr(comparison, "_scores", lambda *_, **__: {})
    compare(toy_comparison(world), run)
    assert json.loads(run.metrics.read_text())["chosen"] == "denoised"
    assert load_expert(run.pack, Device("cpu")).card.preprocessing.denoising is not None


def test_the_table_reads_as_markdown():
    rows = [{"network": "vgg16", "accuracy": 0.5}, {"network": "small_cnn", "accuracy": 0.25}]
    assert table_text(rows) == ("| network | accuracy |\n| --- | --- |\n| vgg16 | 0.5000 |\n| small_cnn | 0.2500 |\n")


def test_networks_without_photographs_to_compare_them_on_are_refused(world: ToyWorld, tmp_path: Path):
    recipe = toy_comparison(world)
    without = recipe.model_copy(update={"data": recipe.data.model_copy(update={"validation": 0.0})})
    with pytest.raises(ValueError, match="networks are compared on validation and test photographs, and one of the"):
        compare(without, open_run(without, tmp_path / "run"))
