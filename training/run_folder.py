"""The folder of one run: what each file in it is called, and how it is written.

Owns the names, and that a file is either whole or not there. What stands in the files is said by
the modules that write them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from training.recipe import PROJECT, Recipe
from training.recipe_file import read_recipe, recipe_text

RUNS = PROJECT / "runs"
PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "numpy", "pillow", "scikit-learn", "mapie", "rembg")


@dataclass(frozen=True)
class RunFolder:
    """A run's folder; its properties are the paths of what a run leaves."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe as run, with its overrides."""
        return self.path / "recipe.toml"

    @property
    def versions(self) -> Path:
        """The versions of Python and the libraries, the commit, the device."""
        return self.path / "versions.json"

    @property
    def checkpoint(self) -> Path:
        """The state after the last finished epoch; gone when the training is."""
        return self.path / "checkpoint.pt"

    @property
    def history(self) -> Path:
        """Losses and accuracies, one entry an epoch."""
        return self.path / "history.json"

    @property
    def rates(self) -> Path:
        """The learning rates, step by step."""
        return self.path / "rates.json"

    @property
    def classes(self) -> Path:
        """The labels, and the pictures of each before and after balancing."""
        return self.path / "classes.json"

    @property
    def predictions(self) -> Path:
        """What the finished model says of each photograph that it was not trained on."""
        return self.path / "predictions.npz"

    @property
    def metrics(self) -> Path:
        """The figures."""
        return self.path / "metrics.json"

    @property
    def gate(self) -> Path:
        """The comparison of the gate's scores."""
        return self.path / "gate.json"

    @property
    def duplicates(self) -> Path:
        """How many near-duplicates there are, and how many cross a published split."""
        return self.path / "duplicates.json"

    @property
    def augmented(self) -> Path:
        """A grid of training pictures as the network saw them."""
        return self.path / "augmented.png"

    @property
    def pack(self) -> Path:
        """The folder of the finished weights and their card."""
        return self.path / "pack"

    @property
    def plots(self) -> Path:
        """The folder of the plots."""
        return self.path / "plots"

    @property
    def report(self) -> Path:
        """The report as one page."""
        return self.path / "report.html"

    def part(self, name: str) -> RunFolder:
        """Return the folder of a run within this run, as of a fold or a compared network."""
        folder = RunFolder(self.path / name)
        folder.path.mkdir(exist_ok=True)
        return folder

    def read_recipe(self) -> Recipe:
        """Read the recipe that the run follows."""
        return read_recipe(self.recipe)


def open_run(recipe: Recipe, folder: Path | None = None, *, runs: Path = RUNS) -> RunFolder:
    """Make a run's folder, or go on in one, and write its recipe and versions into it."""
    path = folder or _unused(runs, f"{recipe.name}-{datetime.now():%Y%m%d-%H%M%S}")
    path.mkdir(parents=True, exist_ok=True)
    run = RunFolder(path)
    write_text(run.recipe, recipe_text(recipe))
    write_json(run.versions, versions())
    return run


def newest_run(name: str, *, runs: Path = RUNS) -> RunFolder:
    """Return the newest run of a recipe's name; raise FileNotFoundError if there is none."""
    # The name of one recipe may begin with that of another: what follows must be the date.
    found = sorted(path.parent for path in runs.glob(f"{name}-[0-9]*-[0-9]*/recipe.toml"))
    if not found:
        raise FileNotFoundError(f"there is no run of {name!r} in {runs}; start one without --resume")
    return RunFolder(found[-1])


def write_json(path: Path, value: Any) -> None:
    """Write a file that is either whole or not there."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file that is either whole or not there."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def versions() -> dict[str, Any]:
    """Return what the figures of a run hang on besides its recipe."""
    import torch

    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "commit": _commit(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        "cores": os.cpu_count(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit, marked where files differ from it; None outside a repository."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=PROJECT, capture_output=True, text=True
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def _unused(runs: Path, name: str) -> Path:
    path, number = runs / name, 1
    while path.exists():
        number += 1
        path = runs / f"{name}-{number}"
    return path
