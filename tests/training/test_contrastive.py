"""From drawn fish and an expert to a finished zero-shot model: the run folder, the pack, and going on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from fishgate.device import Device
from fishgate.model_card import Kind, ModelCard, read_card
from fishgate.preprocessing import to_pixels
from fishgate.zero_shot import load_zero_shot
from tests.training.toy_clip import TOWER, write_expert
from tests.training.toy_photos import draw_fish, make_toy_world
from training import contrastive, pack
from training.clip_learner import ClipLearner
from training.contrastive import run_zero_shot
from training.photos import Photo, read_pixels
from training.predictions import read_predictions
from training.recipe import ZeroShotRecipe
from training.run_folder import RunFolder, open_run

CPU = Device("cpu")
LEFT = {
    "recipe.toml",
    "versions.json",
    "history.json",
    "rates.json",
    "classes.json",
    "predictions.npz",
    "metrics.json",
    "augmented.png",
    "pack",
    "plots",
    "report.html",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums over several threads may differ in their last digit, and a test here compares weights."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> ZeroShotRecipe:
    folder = tmp_path_factory.mktemp("zero_shot")
    world = make_toy_world(folder)
    expert = write_expert(folder / "expert", classes=3)
    return ZeroShotRecipe.model_validate(
        {
            "kind": "zero_shot",
            "name": "toy",
            "version": "toy-1",
            "data": {
                "manifest": str(world.photos / "manifest.csv"),
                "taxonomy": str(world.taxonomy),
                "sources": ["kaggle31"],
                "validation": 0.2,
                "calibration": 0.2,
                "test": 0.2,
            },
            "picture": {"size_px": 32},
            "species": str(world.species),
            "expert": str(expert),
            "network": {"library": "timm", "name": TOWER, "start": f"pack:{expert}", "frozen_layers": 2},
            "matching": {"embedding": 8, "text_width": 8, "text_heads": 2, "text_layers": 1},
            "stages": [
                {"name": "head", "epochs": 1, "batch": 8, "head_rate": 1e-2},
                {"name": "whole", "epochs": 1, "batch": 8, "head_rate": 1e-2, "backbone_rate": 1e-4},
            ],
            "card": {"limits": "A toy.", "licence": "None needed."},
            "output": {"pack": str(folder / "finished")},
        }
    )


@pytest.fixture(scope="module")
def run(recipe: ZeroShotRecipe, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = open_run(recipe, tmp_path_factory.mktemp("runs") / "toy")
    run_zero_shot(recipe, run)
    return run


@pytest.fixture(scope="module")
def card(run: RunFolder) -> ModelCard:
    return load_zero_shot(run.pack, CPU).card


def test_a_run_leaves_what_it_must_and_nothing_unfinished(run: RunFolder):
    assert {path.name for path in run.path.iterdir()} == LEFT


def test_the_pack_loads_and_answers(run: RunFolder):
    zero_shot = load_zero_shot(run.pack, CPU)
    labels = ["Gold Fish", "KnifeFish", "Trout", "Northern pike", "Tench"]
    assert [taxon.label for taxon in zero_shot.card.taxa] == labels
    pixels = to_pixels(draw_fish("green", 30), zero_shot.card.preprocessing)
    all_labels, own_labels = zero_shot.predict([pixels, pixels], [None, ("Tench", "a boot")])
    assert (all_labels.shape, own_labels.shape) == ((5,), (2,))


def test_the_pack_is_also_put_where_the_recipe_says(recipe: ZeroShotRecipe, run: RunFolder):
    assert recipe.output.pack
    finished = load_zero_shot(recipe.output.pack, CPU).card
    assert finished == load_zero_shot(run.pack, CPU).card


def test_what_was_predicted_is_what_the_pack_serves(recipe: ZeroShotRecipe, run: RunFolder):
    zero_shot, predictions = load_zero_shot(run.pack, CPU), read_predictions(run.predictions)
    assert recipe.data.manifest
    photo = Photo(str(predictions.path[0]), "", "", "", "")
    pixels = read_pixels(photo, recipe.data.manifest.parent, zero_shot.card.preprocessing)
    served = zero_shot.predict([pixels], [None])[0]
    logits = torch.from_numpy(predictions.logits[0]) / zero_shot.card.temperature
    assert torch.softmax(logits, dim=0).numpy() == pytest.approx(served, abs=1e-4)


def test_it_trains_on_other_species_but_neither_on_foreign_sources_nor_on_what_is_no_fish(card: ModelCard):
    assert set(card.training["sources"]) == {"kaggle31", "finnish2", "imagenet_fish", "na_freshwater19"}
    assert set(card.metrics["untrained_photographs_of_expert_classes"]) == {"bd20", "milkfish"}
    assert "ood_imagenet" not in card.training["sources"]


def test_every_kept_back_photograph_is_counted_with_an_interval(card: ModelCard):
    kept_back = card.metrics["kept_back"]
    assert {domain: figures["photographs"] for domain, figures in kept_back.items()} == {
        "expert": 6,
        "other_species": 2,
    }
    for figures in kept_back.values():
        for name in ("accuracy", "accuracy_top_5"):
            low, high = figures[f"{name}_interval"]
            assert low <= figures[name] <= high


def test_the_floor_is_chosen_on_what_the_expert_defers(card: ModelCard):
    # The toy expert defers all: 8 validation and 8 calibration photographs, 6 of classes and 2 pikes each.
    assert card.gate.evidence.startswith("Chosen on 16 validation and calibration photographs that the gate")
    assert "at most 20%" in card.gate.evidence
    assert card.metrics["kept_back_and_deferred"]["photographs"] == 8


def test_the_card_says_how_it_was_made(card: ModelCard):
    assert (card.version, card.limits, card.licence) == ("toy-1", "A toy.", "None needed.")
    assert card.training["start"]["from"].startswith("pack:")
    assert len(card.training["start"]["sha256"]) == 64
    assert (card.training["seed"], card.training["epochs"]) == (7, 2)


def test_the_report_has_a_row_for_each_source(run: RunFolder):
    page = run.report.read_text()
    for source in ("kaggle31 (kept back)", "finnish2 (kept back)", "bd20 (never trained on)"):
        assert source in page


def test_a_finished_training_goes_straight_to_its_figures(
    recipe: ZeroShotRecipe, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def run_stages(*_: object) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr(contrastive, "run_stages", run_stages)
    again = RunFolder(tmp_path / "again")
    shutil.copytree(run.path, again.path)
    (again.path / "metrics.json").unlink()
    run_zero_shot(recipe, again)
    assert json.loads(again.metrics.read_text()) == json.loads(run.metrics.read_text())


def test_a_stopped_training_goes_on_to_the_same_weights(
    recipe: ZeroShotRecipe, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stopped = open_run(recipe, tmp_path / "stopped")
    scores = ClipLearner.scores

    def stopping(self: ClipLearner, pictures: torch.Tensor) -> torch.Tensor:
        if stopped.checkpoint.exists():  # the first epoch is done
            raise KeyboardInterrupt
        return scores(self, pictures)

    monkeypatch.setattr(ClipLearner, "scores", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_zero_shot(recipe, stopped)
    monkeypatch.undo()
    assert not stopped.pack.exists()
    run_zero_shot(recipe, stopped)
    assert len(json.loads(stopped.history.read_text())) == 2
    assert (stopped.pack / "weights.safetensors").read_bytes() == (run.pack / "weights.safetensors").read_bytes()


def test_an_expert_that_defers_nothing_is_told(recipe: ZeroShotRecipe, run: RunFolder, tmp_path: Path):
    sure = tmp_path / "sure"
    shutil.copytree(recipe.expert, sure)
    card = read_card(sure, kind=Kind.EXPERT)
    pack.save_card(card, sure, gate=card.gate.model_copy(update={"threshold": 0.0}))
    again = RunFolder(tmp_path / "again")
    shutil.copytree(run.path, again.path)
    with pytest.raises(ValueError, match="the expert defers no photograph of validation and calibration"):
        run_zero_shot(recipe.model_copy(update={"expert": sure}), again)
