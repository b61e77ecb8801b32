"""A recipe is read, changed by overrides, refused with a helpful line, and written down as it was run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from training.recipe import ClassifierRecipe, ComparisonRecipe, Optimiser
from training.recipe_file import RecipeError, read_recipe, recipe_text

RECIPES = sorted((ROOT / "training" / "recipes").glob("*.toml"))
SMALLEST = """
kind = "classifier"
name = "smallest"

[data]
manifest = "photos/manifest.csv"

[picture]
size_px = 64

[network]
library = "torchvision"
name = "mobilenet_v2"

[[stages]]
name = "whole"
epochs = 3
backbone_rate = 1e-3
"""

WRONG = {
    "unknown key": ("stages.0.epoch=3", r"unknown key 'stages\.0\.epoch'; allowed here: name, epochs, size_px"),
    "unknown table": ("balence.least=3", r"unknown key 'balence'; allowed here: name, version, seed"),
    "unknown key of an optional table": ("balance.lest=3", r"unknown key 'balance\.lest'; allowed here: least, most"),
    "wrong type": ("picture.size_px=big", r"picture\.size_px: Input should be a valid integer.*, got 'big'"),
    "out of range": ("picture.size_px=4", r"picture\.size_px: Input should be greater than or equal to 16, got '4'"),
    "no member of the set": (
        "stages.0.optimiser=lion",
        r"stages\.0\.optimiser: Input should be 'adam', 'adamw' or 'sgd', got 'lion'",
    ),
    "unknown start": ("network.start=imagnet", r"network\.start: must be random, imagenet, file:PATH.*, got 'imagnet'"),
    "unknown kind": ("kind=detector", r"kind: must be one of classifier, comparison, .*, got 'detector'"),
    "two places of data": ("data.folders=photos", r"data: exactly one of 'manifest' and 'folders' must be given"),
    "nothing left to train on": ("data.test=0.8", r"data: validation, calibration and test together must leave"),
    "one fold": ("data.folds=1", r"data: folds must be 0 \(none\) or at least 2"),
    "nothing learns": ("stages.0={name='x', epochs=1, head_rate=0}", r"one of head_rate and backbone_rate must be"),
    "no validation to stop by": (
        "early_stopping={patience=2}|data.validation=0",
        r"early_stopping needs data\.validation above 0",
    ),
    "most below least": ("balance={least=9, most=3}", r"balance: least must not be above most \(3\)"),
    "no override": ("seed", r"'seed' is no override; write key\.path=value"),
    "no such stage": ("stages.4.epochs=1", r"the override 'stages\.4\.epochs=1' names no place in the recipe"),
    "a name that is a path": ("name=../x", r"name: String should match pattern .*, got '\.\./x'"),
}


@pytest.fixture
def smallest(tmp_path: Path) -> Path:
    path = tmp_path / "smallest.toml"
    path.write_text(SMALLEST)
    return path


@pytest.mark.parametrize(("overrides", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_recipe_is_refused(smallest: Path, overrides: str, message: str):
    with pytest.raises(RecipeError, match=message):
        read_recipe(smallest, overrides.split("|"))


def test_a_missing_key_is_named(smallest: Path):
    smallest.write_text(SMALLEST.replace('name = "mobilenet_v2"', ""))
    with pytest.raises(RecipeError, match=r"smallest\.toml: the key 'network\.name' is missing"):
        read_recipe(smallest)


def test_a_file_that_is_no_toml_is_refused(smallest: Path):
    smallest.write_text("kind = ")
    with pytest.raises(RecipeError, match=r"smallest\.toml is no TOML: "):
        read_recipe(smallest)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"none\.toml cannot be read \(No such file or directory\)"):
        read_recipe(tmp_path / "none.toml")


def test_overrides_change_what_they_name(smallest: Path):
    changes = [
        "stages.0.epochs=2",
        "data.sources=['a', 'b']",
        "version=trial",
        "balance.least=7",
        "stages.0.optimiser=sgd",
    ]
    recipe = read_recipe(smallest, changes)
    assert isinstance(recipe, ClassifierRecipe)
    assert (recipe.stages[0].epochs, recipe.stages[0].optimiser) == (2, Optimiser.SGD)
    assert (recipe.data.sources, recipe.version) == (("a", "b"), "trial")
    assert recipe.balance
    assert (recipe.balance.least, recipe.balance.most) == (7, 500)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_as_written_down_is_the_recipe(path: Path, tmp_path: Path):
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    (tmp_path / "recipe.toml").write_text(recipe_text(recipe))
    assert read_recipe(tmp_path / "recipe.toml") == recipe


def test_each_network_of_a_comparison_gets_the_shared_settings_and_its_own():
    comparison = read_recipe(ROOT / "training" / "recipes" / "denoising_resnet101.toml")
    assert isinstance(comparison, ComparisonRecipe)
    plain, denoised = (comparison.of(network) for network in comparison.networks)
    assert plain.picture.denoising is None
    assert denoised.picture.denoising is not None
    assert plain.stages == denoised.stages == comparison.stages
    assert plain.network == denoised.network
    assert (plain.name, denoised.name) == ("resnet101_plain", "resnet101_denoised")


def test_two_networks_of_one_name_are_refused():
    path = ROOT / "training" / "recipes" / "denoising_resnet101.toml"
    with pytest.raises(RecipeError, match="two networks are called 'resnet101_plain'; give one a label"):
        read_recipe(path, ["networks.1.label=resnet101_plain"])
