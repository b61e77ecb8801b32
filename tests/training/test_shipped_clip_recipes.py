"""The shipped recipes for models of pictures and names really run, in miniature."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fishgate.device import Device
from fishgate.zero_shot import load_zero_shot
from tests.conftest import ROOT
from tests.training.toy_clip import write_expert, write_pack
from tests.training.toy_photos import ToyWorld, make_toy_world
from training.command_line import Options
from training.recipe import LinearProbeRecipe, ZeroShotRecipe
from training.recipe_file import read_recipe
from training.run_folder import RunFolder
from training.running import run

RECIPES = ROOT / "training" / "recipes"
PROBES = [path.stem for path in sorted(RECIPES.glob("*.toml")) if read_recipe(path).kind == "linear_probe"]
SPLITS = [f"data.{split}=0.2" for split in ("validation", "calibration", "test")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ToyWorld:
    return make_toy_world(tmp_path_factory.mktemp("world"))


def follow(name: str, folder: Path, changes: list[str]) -> RunFolder:
    return run(Options(RECIPES / f"{name}.toml", None, folder / "run", tuple(changes)))


@pytest.mark.parametrize("name", PROBES)
def test_a_recipe_for_a_probe_measures_it_beside_zero_shot(name: str, world: ToyWorld, tmp_path: Path):
    model = json.dumps(str(write_pack(tmp_path / "pack")))
    changes = [f"data.manifest={world.photos / 'manifest.csv'}", "threads=1", "probe.epochs=2", *SPLITS]
    changes += [f"model={{ pack = {model} }}", f"cache={tmp_path / 'cache'}"]
    changes += ["picture.size_px=32"] if "[picture]" in (RECIPES / f"{name}.toml").read_text() else []
    folder = follow(name, tmp_path, changes)
    assert isinstance(folder.read_recipe(), LinearProbeRecipe)
    assert set(json.loads(folder.metrics.read_text())["methods"]) == {"zero_shot", "linear_probe"}
    assert folder.report.is_file()


def test_the_recipe_of_the_demo_zero_shot_model_makes_a_pack(world: ToyWorld, tmp_path: Path):
    expert = write_expert(tmp_path / "expert", classes=3)
    changes = [f"data.manifest={world.photos / 'manifest.csv'}", "data.sources=['kaggle31']", *SPLITS]
    changes += [f"data.taxonomy={world.taxonomy}", f"species={world.species}", f"expert={expert}", "threads=1"]
    changes += ["network.start=random", "picture.size_px=32", f"output.pack={tmp_path / 'finished'}"]
    changes += [f"stages.{number}.{change}" for number in (0, 1) for change in ("epochs=1", "size_px=32", "batch=12")]
    folder = follow("demo_zero_shot", tmp_path, changes)
    recipe = folder.read_recipe()
    assert isinstance(recipe, ZeroShotRecipe)
    card = load_zero_shot(tmp_path / "finished", Device("cpu")).card
    assert card.version == recipe.version
    assert card.architecture.config["vision_cfg"]["timm_model_name"] == recipe.network.name
    assert folder.report.is_file()
