"""The weights that a network starts from: where they are had, and how they enter another number of outputs.

Owns the reading and the fitting. What is done with the network then is said by ``training.backbones``.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from fishgate.model_card import Kind, Library, checked_weights, read_card, sha256_of
from fishgate.networks import head_of
from training.network_settings import IMAGENET, START_FORMS, Network
from training.recipe import project_path

State = dict[str, torch.Tensor]

AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")
"""Second heads, which some published weights have for training and no network here."""


class StartError(ValueError):
    """Start weights that cannot be had or do not fit; says which, and what is allowed."""


def start_state(described: Network, network: nn.Module) -> State:
    """Return the start weights by the names of ``network``; raise StartError if they cannot be had."""
    form, _, rest = described.start.partition(":")
    if described.start == IMAGENET:
        state = _published(described)
    elif form == "file":
        state = _from_file(project_path(Path(rest)))
    elif form == "pack":
        folder = project_path(Path(rest))
        state = _from_file(checked_weights(read_card(folder, kind=Kind.EXPERT), folder))
    elif form == "package":
        given = torch.load(_checkpoint_in(rest), map_location="cpu", weights_only=True)
        state = _in_order_of(network, given, origin=described.start)
    else:
        raise StartError(f"no start weights are called {described.start!r}; allowed: {START_FORMS}")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def start_facts(described: Network) -> dict[str, str]:
    """Return what a card tells of the start weights: what the recipe calls them, and their hash if they are a file."""
    form, _, rest = described.start.partition(":")
    match form:
        case "file":
            path = project_path(Path(rest))
        case "pack":
            folder = project_path(Path(rest))
            path = checked_weights(read_card(folder, kind=Kind.EXPERT), folder)
        case "package":
            path = _checkpoint_in(rest)
        case _:
            return {"from": described.start}
    return {"from": described.start, "file": path.name, "sha256": sha256_of(path)}


def load_all_but_head(network: nn.Module, state: State, *, origin: str) -> None:
    """Copy start weights into a network; raise StartError where a name or a shape differs, the head apart."""
    head = name_of(network, head_of(network)) + "."
    own = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(head)}
    state = {name: tensor for name, tensor in state.items() if not name.startswith((head, *AUXILIARY))}
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or unknown:
        raise StartError(f"{origin!r} does not fit the network: missing {missing[:3]}, not known {unknown[:3]}")
    for name, tensor in state.items():
        _check_shape(name, tensor, own[name], origin=origin)
    network.load_state_dict(state, strict=False)


def name_of(network: nn.Module, layer: nn.Module) -> str:
    """Return the dotted name of a layer in its network."""
    names: dict[int, str] = {id(part): name for name, part in network.named_modules()}
    return names[id(layer)]


def _published(described: Network) -> State:
    """Download what the library publishes for ImageNet, or take it from the library's own cache."""
    try:
        if described.library is Library.TORCHVISION:
            import torchvision

            return dict(torchvision.models.get_model(described.name, weights="DEFAULT").state_dict())
        if described.library is Library.TIMM:
            import timm

            return dict(timm.create_model(described.name, pretrained=True).state_dict())
    except Exception as error:  # what a failed download raises differs from library to library
        raise StartError(
            f"the ImageNet weights of {described.name!r} could not be downloaded ({type(error).__name__}: "
            f"{str(error)[:120]}); other starts: {START_FORMS}"
        ) from error
    raise StartError(f"{described.library.value!r} publishes no ImageNet weights of {described.name!r}")


def _from_file(path: Path) -> State:
    if not path.is_file():
        raise StartError(f"the start weights {path.name!r} are not there; allowed: {START_FORMS}")
    return dict(load_file(path))


def _checkpoint_in(name: str) -> Path:
    """Return the one checkpoint among the data of an installed Python package."""
    spec = find_spec(name)
    folders = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    found = [path for folder in folders for path in sorted(folder.rglob("*.pth"))]
    if len(found) != 1:
        raise StartError(f"the package {name!r} must be installed and hold one .pth file, found {len(found)}")
    return found[0]


def _in_order_of(network: nn.Module, state: State, *, origin: str) -> State:
    """Rename weights of another author: both list the same layers in the order of the data."""
    own = network.state_dict()
    if len(own) != len(state):
        raise StartError(f"{origin!r} holds {len(state)} tensors, the network has {len(own)}")
    head = name_of(network, head_of(network)) + "."
    renamed = dict(zip(own, state.values(), strict=True))
    for name, tensor in renamed.items():
        if not name.startswith(head):
            _check_shape(name, tensor, own[name], origin=origin)
    return renamed


def _check_shape(name: str, given: torch.Tensor, own: torch.Tensor, *, origin: str) -> None:
    if given.shape != own.shape:
        raise StartError(f"{name!r} has shape {tuple(given.shape)} in {origin!r}, {tuple(own.shape)} in the network")
