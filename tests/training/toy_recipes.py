"""Recipes so small that they train in a second, on toy photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.recipe import ClassifierRecipe

TOY: dict[str, Any] = {
    "kind": "classifier",
    "name": "toy",
    "threads": 1,
    "data": {
        "manifest": "photos/manifest.csv",
        "sources": ["kaggle31"],
        "validation": 0.2,
        "calibration": 0.2,
        "test": 0.2,
    },
    "picture": {"size_px": 32},
    "network": {"library": "fishgate", "name": "small_cnn"},
    "stages": [{"name": "whole", "epochs": 2, "batch": 8, "head_rate": 1e-3, "backbone_rate": 1e-3}],
    "gate": {"outliers": ["other_species", "non_fish"], "known_outliers": ["rainbow trout"]},
}


def toy_recipe(photos: Path | None = None, **changed: Any) -> ClassifierRecipe:
    """Return a recipe for the toy photographs in this folder, with whole tables replaced."""
    table: dict[str, Any] = TOY | changed
    if photos:
        table["data"] = table["data"] | {"manifest": str(photos / "manifest.csv")}
    return ClassifierRecipe.model_validate(table)
