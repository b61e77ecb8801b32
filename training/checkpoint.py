"""The state of a training after its last finished epoch, on disk.

Owns the file: whole or not there, so that a training may be killed at any moment, and of no use to
a training that follows another recipe.
"""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import torch

from training.recipe import TrainingRecipe

State = dict[str, Any]

NOT_TRAINING = {"name", "version", "threads", "output", "card", "gate", "kind"}
"""The parts of a recipe that may change before a training goes on."""


class CheckpointError(ValueError):
    """A checkpoint that this training cannot go on from."""


def save_checkpoint(path: Path, state: State, *, key: str) -> None:
    """Write the state and torch's and Python's random state, in place of the last."""
    unfinished = path.with_name(path.name + ".unfinished")
    torch.save({"key": key, "chance": _chance(), "state": state}, unfinished)
    unfinished.replace(path)


def load_checkpoint(path: Path, *, key: str, device: str) -> State | None:
    """Read the state back and set the random states, or return None if there is none.

    Raises CheckpointError if it was written for another training.
    """
    if not path.exists():
        return None
    kept = torch.load(path, map_location=device, weights_only=True)
    if kept["key"] != key:
        raise CheckpointError(
            f"{path.name} in {path.parent.name!r} is of a training with other data, network or stages; "
            "start anew without --resume"
        )
    _set_chance(kept["chance"])
    return dict(kept["state"])


def training_key(recipe: TrainingRecipe, *more: str) -> str:
    """Return a mark that differs where a recipe, or anything named beside it, would train otherwise."""
    text = recipe.model_dump_json(exclude=NOT_TRAINING)
    return hashlib.sha256("\n".join((text, *more)).encode()).hexdigest()


def _chance() -> State:
    chance: State = {"torch": torch.get_rng_state(), "python": random.getstate()}
    if torch.cuda.is_available():
        chance["cuda"] = torch.cuda.get_rng_state_all()
    return chance


def _set_chance(chance: State) -> None:
    torch.set_rng_state(chance["torch"].cpu())
    random.setstate(chance["python"])
    if "cuda" in chance and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([state.cpu() for state in chance["cuda"]])
