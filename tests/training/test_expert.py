"""From drawn fish to a finished expert: the run folder, the pack, and doing the end again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fishgate.device import Device
from fishgate.expert import load_expert
from fishgate.model_card import ModelCard
from fishgate.preprocessing import to_pixels
from tests.training.toy_photos import ToyWorld, draw_fish, make_toy_world
from tests.training.toy_recipes import TOY, toy_recipe
from tests.training.toy_scenes import save_scene
from training.expert import make_expert
from training.photos import read_manifest, read_pixels
from training.predictions import read_predictions
from training.recipe import ClassifierRecipe
from training.run_folder import RunFolder, open_run

CPU = Device("cpu")
LEFT = {
    "recipe.toml",
    "versions.json",
    "history.json",
    "rates.json",
    "classes.json",
    "predictions.npz",
    "training_predictions.npz",
    "metrics.json",
    "gate.json",
    "duplicates.json",
    "augmented.png",
    "pack",
    "plots",
    "report.html",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ToyWorld:
    return make_toy_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def recipe(world: ToyWorld) -> ClassifierRecipe:
    data = TOY["data"] | {"taxonomy": str(world.taxonomy)}
    output = {"pack": str(world.photos.parent / "finished")}
    return toy_recipe(world.photos, data=data, output=output, card={"limits": "A toy.", "licence": "None needed."})


@pytest.fixture(scope="module")
def run(recipe: ClassifierRecipe, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = open_run(recipe, tmp_path_factory.mktemp("runs") / "toy")
    make_expert(recipe, run)
    return run


@pytest.fixture(scope="module")
def card(run: RunFolder) -> ModelCard:
    return load_expert(run.pack, CPU).card


def test_a_run_leaves_what_it_must_and_nothing_unfinished(run: RunFolder):
    assert {path.name for path in run.path.iterdir()} == LEFT


def test_the_pack_loads_and_answers(run: RunFolder):
    expert = load_expert(run.pack, CPU)
    assert [taxon.label for taxon in expert.card.taxa] == ["Gold Fish", "KnifeFish", "Trout"]
    probabilities = expert.predict([to_pixels(draw_fish("orange", 30), expert.card.preprocessing)])
    assert probabilities[0].sum() == pytest.approx(1.0, abs=1e-5)


def test_the_card_says_how_it_was_made(card: ModelCard, recipe: ClassifierRecipe):
    assert card.version == recipe.version
    assert (card.limits, card.licence) == ("A toy.", "None needed.")
    assert (card.training["seed"], card.training["epochs"]) == (7, 2)
    assert card.training["start"] == {"from": "random"}
    assert card.training["recipe"]["stages"][0]["name"] == "whole"
    assert "torch" in card.training["versions"]


def test_only_the_sources_named_are_trained_on(card: ModelCard):
    assert list(card.training["sources"]) == ["kaggle31"]
    assert card.training["photographs"] == {"train": 12, "validation": 6, "calibration": 6, "test": 6}
    assert set(card.metrics["never_trained_sources"]) == {"bd20", "milkfish"}


def test_figures_count_every_photograph_that_was_kept_back(run: RunFolder, card: ModelCard):
    seen = read_predictions(run.predictions)
    counts = {split: int((seen.split == split).sum()) for split in np.unique(seen.split).tolist()}
    outliers = counts.pop("gate") + counts.pop("foreign") - 2  # bd20 and milkfish
    assert counts == {"validation": 6, "calibration": 6, "test": 6}
    assert outliers == 9 + 2  # other species but the trout, and no fish
    assert card.metrics["all_kept_back"]["photographs"] == 6
    assert card.metrics["kept_back"]["kaggle31"]["photographs"] == 6
    measured = sum(figures["photographs"] for figures in card.metrics["no_label_fits"].values())
    assert measured == int(((seen.split == "foreign") & (seen.label == -1)).sum())


def test_the_run_and_the_card_tell_the_same_figures(run: RunFolder, card: ModelCard):
    assert json.loads(run.metrics.read_text()) == card.metrics


def test_predictions_are_what_the_server_would_say(run: RunFolder, world: ToyWorld):
    seen, expert = read_predictions(run.predictions), load_expert(run.pack, CPU)
    photos = {photo.path: photo for photo in read_manifest(world.photos)}
    pixels = [read_pixels(photos[path], world.photos, expert.card.preprocessing) for path in seen.path.tolist()]
    scaled = seen.logits / expert.card.temperature
    expected = np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.stack(expert.predict(pixels)), expected, atol=1e-4)


def test_no_group_is_in_two_splits(run: RunFolder):
    seen = read_predictions(run.predictions)
    trained = read_predictions(run.path / "training_predictions.npz")
    for split in np.unique(seen.split):
        inside = set(seen.group[seen.split == split])
        assert not inside & set(trained.group)
        assert not inside & set(seen.group[seen.split != split])


def test_the_finished_pack_is_put_where_the_recipe_says(recipe: ClassifierRecipe, run: RunFolder):
    assert recipe.output.pack
    for name in ("weights.safetensors", "model_card.json"):
        assert (recipe.output.pack / name).read_bytes() == (run.pack / name).read_bytes()


def test_the_end_can_be_done_again_without_training(recipe: ClassifierRecipe, run: RunFolder, tmp_path: Path):
    again = RunFolder(tmp_path / "again")
    shutil.copytree(run.path, again.path)
    for path in (again.metrics, again.report, again.predictions, again.gate):
        path.unlink()
    weights = (again.pack / "weights.safetensors").read_bytes()
    make_expert(recipe, again)
    assert (again.pack / "weights.safetensors").read_bytes() == weights
    assert again.metrics.read_text() == run.metrics.read_text()
    assert again.report.exists()


def test_a_training_stopped_before_its_pack_goes_on_there(recipe: ClassifierRecipe, run: RunFolder, tmp_path: Path):
    whole, stopped = open_run(recipe, tmp_path / "whole"), open_run(recipe, tmp_path / "stopped")
    shutil.copytree(run.pack, stopped.pack)
    (stopped.pack / "model_card.json").unlink()  # killed after the weights, before the card
    make_expert(recipe, stopped)
    assert (stopped.pack / "weights.safetensors").read_bytes() == (run.pack / "weights.safetensors").read_bytes()
    assert not whole.pack.exists()


def test_folds_are_trained_and_tested_one_by_one(world: ToyWorld, tmp_path: Path):
    recipe = toy_recipe(world.photos, data=TOY["data"] | {"folds": 2})
    run = open_run(recipe, tmp_path / "folds")
    make_expert(recipe, run)
    folds = json.loads(run.metrics.read_text())["folds"]
    tested = [read_predictions(run.path / f"fold-{number}" / "predictions.npz") for number in (1, 2)]
    assert folds["accuracies"] == [round(float(part.is_right.mean()), 4) for part in tested]
    assert folds["mean"] == pytest.approx(np.mean(folds["accuracies"]), abs=1e-4)
    assert folds["standard_deviation"] == pytest.approx(np.std(folds["accuracies"], ddof=1), abs=1e-4)
    paths = [path for part in tested for path in part.path.tolist()]
    assert len(paths) == len(set(paths)) == 30


def write_class_folders(folder: Path) -> None:
    """Draw two classes in train, val and test; one test picture of each is a copy of one in train."""
    places = [(split, label) for split in ("train", "val", "test") for label in ("Carp", "Pike")]
    for number, (split, label) in enumerate(places):
        for picture in range(8):
            save_scene(100 * number + picture, folder / split / label / f"{picture}.png")
    for label in ("Carp", "Pike"):
        shutil.copyfile(folder / "train" / label / "0.png", folder / "test" / label / "copy.png")


def test_class_folders_need_no_manifest_and_no_taxonomy(tmp_path: Path):
    write_class_folders(tmp_path / "fish")
    data = {name: value for name, value in TOY["data"].items() if name not in ("manifest", "sources")}
    recipe = toy_recipe(data=data | {"folders": str(tmp_path / "fish")})
    run = open_run(recipe, tmp_path / "run")
    make_expert(recipe, run)
    assert [taxon.label for taxon in load_expert(run.pack, CPU).card.taxa] == ["Carp", "Pike"]
    assert json.loads(run.duplicates.read_text())["crossing_published_split"] == 2


def test_a_split_that_would_be_empty_is_refused_before_the_training(tmp_path: Path):
    for label in ("Carp", "Pike"):
        for picture in range(4):
            save_scene(len(label) + ord(label[0]), tmp_path / "fish" / label / f"{picture}.png")
    recipe = toy_recipe(data={"folders": str(tmp_path / "fish")})
    expected = r"data\.validation is 0\.1, but the split is empty: each class has under 4 groups of near-duplicates"
    with pytest.raises(ValueError, match=expected):
        make_expert(recipe, open_run(recipe, tmp_path / "run"))


WRONG_DATA = {
    "an unknown class": ({"classes": ["Gold Fish", "Whale"]}, r"data\.classes: there are no photographs of 'whale'"),
    "one class": ({"classes": ["Trout"]}, r"data: 10 photographs of fewer than two classes; check data\.sources"),
    "an unknown source": ({"sources": ["nowhere"]}, r"data: 0 photographs of fewer than two classes"),
}


@pytest.mark.parametrize(("changed", "message"), WRONG_DATA.values(), ids=WRONG_DATA)
def test_data_that_cannot_be_used_are_refused(
    world: ToyWorld, tmp_path: Path, changed: dict[str, list[str]], message: str
):
    recipe = toy_recipe(world.photos, data=TOY["data"] | changed)
    with pytest.raises(ValueError, match=message):
        make_expert(recipe, open_run(recipe, tmp_path / "run"))


def test_a_class_that_the_taxonomy_does_not_list_is_refused(world: ToyWorld, tmp_path: Path):
    taxonomy = tmp_path / "taxonomy.csv"
    taxonomy.write_text("".join(world.taxonomy.read_text().splitlines(keepends=True)[:3]))
    recipe = toy_recipe(world.photos, data=TOY["data"] | {"taxonomy": str(taxonomy)})
    with pytest.raises(ValueError, match=r"taxonomy\.csv does not list the class 'Trout'; add it there"):
        make_expert(recipe, open_run(recipe, tmp_path / "run"))
