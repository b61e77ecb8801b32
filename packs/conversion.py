"""From a published weights file to safetensors that fit the card's network.

Owns reading a foreign file without running anything in it, unwrapping what trainers wrap around
the weights, and the file that is written. Whether names and shapes fit is asked of
``packs.layout``.
"""

from __future__ import annotations

import pickle
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fishgate.model_card import ModelCard
from packs.errors import ForeignWeights, in_one_line
from packs.layout import State, fitted

WRAPPERS = ("state_dict", "model_state_dict", "model")
PARALLEL_PREFIX = "module."
_SAFETENSORS = ".safetensors"
_ALLOWED = f"a dict of names to tensors is allowed, plain or below one of the keys {', '.join(WRAPPERS)}"


def convert(published: Path, card: ModelCard, target: Path) -> None:
    """Write the weights that the card's network needs; raise ForeignWeights before writing anything."""
    state = read_state(published)
    fitting = fitted(state, card)
    if published.suffix == _SAFETENSORS and _is_same(fitting, state):
        shutil.copyfile(published, target)  # the very bytes that were published
        return
    # Cloned, for tensors that share memory are refused by safetensors.
    save_file({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in fitting.items()}, target)


def read_state(path: Path) -> State:
    """Read a published file of either form as names and tensors, mapped, not loaded, into memory."""
    if path.suffix == _SAFETENSORS:
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ForeignWeights(f"{path.name} is no safetensors file: {in_one_line(error)}") from None
    return unwrapped(read_pickle(path), path.name)


def read_pickle(path: Path) -> object:
    """Read a pickle with torch's restricted reader; it builds tensors and plain values only."""
    try:
        return torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, AttributeError, TypeError) as error:
        text = in_one_line(error)
        found = re.search(r"(?:GLOBAL|global|class|function) ([\w.]+\.\w+)", str(error))
        seen = f"it calls for {found[1]}" if found else text
        raise ForeignWeights(
            f"{path.name} was refused unread: {seen}; only tensors and plain values saved by torch.save are allowed"
        ) from None


def unwrapped(loaded: object, name: str) -> State:
    """Return the state dict in what was loaded; raise ForeignWeights if there is none."""
    inner = next((loaded[key] for key in WRAPPERS if key in loaded), loaded) if isinstance(loaded, dict) else loaded
    if not _is_state(inner):
        raise ForeignWeights(f"{name} holds {_described(inner)}; {_ALLOWED}")
    if all(key.startswith(PARALLEL_PREFIX) for key in inner):
        return {key.removeprefix(PARALLEL_PREFIX): tensor for key, tensor in inner.items()}
    return dict(inner)


def _is_same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(one[name] is other[name] for name in one)


def _is_state(value: object) -> TypeGuard[Mapping[str, torch.Tensor]]:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(key, str) and isinstance(item, torch.Tensor) for key, item in value.items())


def _described(value: object) -> str:
    if not isinstance(value, Mapping):
        return f"a {type(value).__name__}"
    keys = ", ".join(f"{key!s:.40} ({type(item).__name__})" for key, item in list(value.items())[:5])
    return f"a dict of {keys}" if keys else "an empty dict"
