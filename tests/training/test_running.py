"""What the training command shows of an error, and which folder a run has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fishgate.model_card import Architecture, Library
from fishgate.networks import build_network
from tests.training.toy_photos import ToyWorld, make_toy_world
from tests.training.toy_recipes import TOY, toy_recipe
from training.command_line import NEWEST, Options
from training.dataset import gather
from training.recipe import Data, GateStudy
from training.recipe_file import read_recipe, recipe_text
from training.running import is_explained, run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ToyWorld:
    return make_toy_world(tmp_path_factory.mktemp("world"))


def caught(function: object, *arguments: object, **named: object) -> Exception:
    try:
        function(*arguments, **named)  # type: ignore[operator]
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_an_error_about_recipe_data_or_files_is_shown_as_one_line(tmp_path: Path):
    unknown = Architecture(library=Library.TORCHVISION, name="resnet1")
    assert is_explained(caught(read_recipe, tmp_path / "none.toml"))
    assert is_explained(caught(build_network, unknown, 3))
    assert is_explained(caught(gather, Data(manifest=tmp_path / "none.csv"), GateStudy(), seed=1))


def test_a_mistake_of_the_program_keeps_its_traceback():
    assert not is_explained(caught(np.concatenate, []))
    assert not is_explained(caught(np.zeros(3).reshape, 2, 2))
    assert not is_explained(caught({}.__getitem__, "x"))


def test_a_run_goes_on_with_the_recipe_that_it_began_with(world: ToyWorld, tmp_path: Path):
    recipe = toy_recipe(world.photos)
    path = tmp_path / "toy.toml"
    path.write_text(recipe_text(recipe))
    begun = run(Options(path, None, tmp_path / "run", ("stages.0.epochs=1",)))
    path.write_text(recipe_text(recipe.model_copy(update={"seed": 99})))
    gone_on = run(Options(path, begun.path, None, ("gate.risk=0.5",)))
    assert gone_on.path == begun.path
    followed = gone_on.read_recipe()
    assert (followed.seed, followed.stages[0].epochs, followed.gate.risk) == (TOY.get("seed", 7), 1, 0.5)


def test_the_newest_run_of_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "toy.toml"
    path.write_text(recipe_text(toy_recipe()))
    with pytest.raises(FileNotFoundError, match="there is no run of 'toy'"):
        run(Options(path, NEWEST, None, ()))
