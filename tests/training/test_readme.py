"""What the training's README says is what the program does."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from training.recipe_keys import keys_text

README = (ROOT / "training" / "README.md").read_text(encoding="utf-8")


def test_the_table_of_keys_is_that_of_the_records():
    assert keys_text() in README, "put the output of `python -m training.recipe_keys` into training/README.md"


def test_every_shipped_recipe_is_described():
    names = {path.stem for path in (ROOT / "training" / "recipes").glob("*.toml")}
    assert {name for name in names if f"| `{name}` |" not in README} == set()


def test_every_recipe_that_is_named_is_there():
    named = set(re.findall(r"training/recipes/([\w.]+)", README))
    assert named
    assert {name for name in named if not (ROOT / "training" / "recipes" / name).is_file()} == set()
