"""Every recipe that is shipped really runs, in miniature: tiny pictures, one short epoch, random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fishgate.device import Device
from fishgate.expert import load_expert
from tests.conftest import ROOT
from tests.training.toy_photos import ToyWorld, make_toy_world
from tests.training.toy_segmentation import write_red_finder
from training.command_line import Options
from training.recipe import ClassifierRecipe, ComparisonRecipe, TrainingRecipe
from training.recipe_file import read_recipe
from training.running import run

RECIPES = ROOT / "training" / "recipes"
CLASSIFIERS = [path.stem for path in sorted(RECIPES.glob("*.toml")) if read_recipe(path).kind == "classifier"]
COMPARISONS = [path.stem for path in sorted(RECIPES.glob("*.toml")) if read_recipe(path).kind == "comparison"]
LEAST_PX = {"inception_v3": 80}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ToyWorld:
    return make_toy_world(tmp_path_factory.mktemp("world"))


def in_miniature(name: str, world: ToyWorld) -> list[str]:
    """Return the overrides that make a recipe small, and nothing else of it different."""
    recipe = read_recipe(RECIPES / f"{name}.toml")
    assert isinstance(recipe, TrainingRecipe)
    changes = [f"data.manifest={world.photos / 'manifest.csv'}", "data.sources=['kaggle31']", "data.classes=[]"]
    changes += [f"data.taxonomy={world.taxonomy}", "picture.size_px=32", "threads=1"]
    # Else a shipped recipe would put its toy where the shipped pack is.
    changes += [f"output.pack={world.photos.parent / name}"] if recipe.output.pack else []
    changes += [f"data.{split}=0.2" for split in ("validation", "calibration", "test")]
    for number, stage in enumerate(recipe.stages):
        changes += [f"stages.{number}.{change}" for change in ("epochs=1", "batch=12")]
        changes += [f"stages.{number}.size_px=32"] if stage.size_px else []
    if recipe.balance:
        changes += ["balance.least=8", "balance.most=9"]
    if recipe.background:
        changes += [f"background.session=file:{write_red_finder(world.photos.parent / 'red.onnx')}"]
    return changes


def of_networks(recipe: ComparisonRecipe) -> list[str]:
    changes = []
    for number, network in enumerate(recipe.networks):
        changes += [f"networks.{number}.start=random", f"networks.{number}.size_px={LEAST_PX.get(network.name, 32)}"]
    return changes


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_recipe_for_one_network_makes_an_expert(name: str, world: ToyWorld, tmp_path: Path):
    changes = [*in_miniature(name, world), "network.start=random"]
    folder = run(Options(RECIPES / f"{name}.toml", None, tmp_path / "run", tuple(changes)))
    recipe = folder.read_recipe()
    assert isinstance(recipe, ClassifierRecipe)
    card = load_expert(folder.pack, Device("cpu")).card
    assert (card.architecture.name, card.version) == (recipe.network.name, recipe.version)
    assert card.preprocessing.denoising == recipe.picture.denoising
    assert len(json.loads(folder.history.read_text())) == len(recipe.stages)
    assert folder.report.is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARISONS)
def test_a_recipe_for_several_networks_makes_an_expert_of_the_best(name: str, world: ToyWorld, tmp_path: Path):
    recipe = read_recipe(RECIPES / f"{name}.toml")
    assert isinstance(recipe, ComparisonRecipe)
    changes = [
        *in_miniature(name, world),
        *of_networks(recipe),
        *(["stages.0.epochs=0"] if len(recipe.stages) > 1 else []),
    ]
    folder = run(Options(RECIPES / f"{name}.toml", None, tmp_path / "run", tuple(changes)))
    metrics = json.loads(folder.metrics.read_text())
    assert [row["network"] for row in metrics["networks"]] == [network.shown for network in recipe.networks]
    chosen = next(network for network in recipe.networks if network.shown == metrics["chosen"])
    assert load_expert(folder.pack, Device("cpu")).card.architecture.name == chosen.name
    assert folder.report.is_file()
