"""From the command line to the kind of recipe that it names.

Owns which folder a run has and which module does each kind.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from fishgate.errors import FishgateError
from training.command_line import NEWEST, Options
from training.recipe import PROJECT, ClassifierRecipe, ComparisonRecipe, LinearProbeRecipe, Recipe, ZeroShotRecipe
from training.recipe_file import read_recipe
from training.run_folder import RunFolder, newest_run, open_run


def run(options: Options) -> RunFolder:
    """Do what the recipe says and return the run's folder.

    Raises RecipeError for a wrong recipe, ValueError and OSError for data that cannot be used.
    """
    recipe, folder = _recipe_and_folder(options)
    _use_cores(recipe.threads)
    print(f"the run's folder is {folder.path}", flush=True)
    _follow(recipe, folder)
    return folder


def is_explained(error: Exception) -> bool:
    """Tell whether an error is about recipe, data or files, so that its message is all that people need."""
    if isinstance(error, OSError):
        return True
    place = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    is_own = any(place.is_relative_to(PROJECT / room) for room in ("training", "fishgate"))
    return is_own and isinstance(error, ValueError | RuntimeError | FishgateError)


def _recipe_and_folder(options: Options) -> tuple[Recipe, RunFolder]:
    """Return the recipe and its folder; a run that goes on follows the recipe that it began with."""
    if options.resume is None:
        assert options.recipe is not None  # the command line has seen to it
        recipe = read_recipe(options.recipe, options.overrides)
        return recipe, open_run(recipe, options.output)
    folder = _resumed(options)
    recipe = read_recipe(folder.recipe, options.overrides)
    return recipe, open_run(recipe, folder.path)


def _resumed(options: Options) -> RunFolder:
    if options.resume != NEWEST:
        assert options.resume is not None
        return RunFolder(options.resume)
    assert options.recipe is not None
    return newest_run(read_recipe(options.recipe).name)


def _use_cores(threads: int) -> None:
    if threads:
        import torch

        torch.set_num_threads(threads)


def _follow(recipe: Recipe, folder: RunFolder) -> None:
    # Heavy libraries only when the recipe is known to be right.
    if isinstance(recipe, ClassifierRecipe):
        from training.expert import make_expert

        make_expert(recipe, folder)
    elif isinstance(recipe, ComparisonRecipe):
        from training.comparison import compare

        compare(recipe, folder)
    elif isinstance(recipe, LinearProbeRecipe):
        from training.linear_probe import run_linear_probe

        run_linear_probe(recipe, folder)
    elif isinstance(recipe, ZeroShotRecipe):
        from training.contrastive import run_zero_shot

        run_zero_shot(recipe, folder)
