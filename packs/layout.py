"""Whether weights fit the network that a card builds, name by name and shape by shape.

The network is built on torch's ``meta`` device: it has shapes and takes no memory.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fishgate.expert import build_classifier
from fishgate.model_card import Kind, ModelCard
from fishgate.zero_shot import build_clip
from packs.errors import ForeignWeights
from packs.timm_names import torchvision_name

State = dict[str, Tensor]


def fitted(state: State, card: ModelCard) -> State:
    """Return the weights under the network's names and in its shapes; raise ForeignWeights if they do not fit.

    Names may be timm's, and shapes may differ in axes of length one: both lose nothing.
    """
    wanted = wanted_state(card)
    if card.kind is Kind.EXPERT:
        state = {torchvision_name(name): tensor for name, tensor in state.items()}
    for name, tensor in wanted.items():
        _check(name, state, tensor)
    unknown = next((name for name in state if name not in wanted), None)
    if unknown is not None:
        shape = list(state[unknown].shape)
        raise ForeignWeights(
            f"{unknown!r} of shape {shape} has no place in {_network(card)}, which ends at "
            f"{list(wanted)[-1]!r}; choose a revision that fits, or mend the card template"
        )
    return {name: _in_shape(state[name], tensor) for name, tensor in wanted.items()}


def wanted_state(card: ModelCard) -> State:
    """Return the names and shapes of the card's network; the tensors hold no values."""
    with torch.device("meta"):
        network = build_classifier(card) if card.kind is Kind.EXPERT else build_clip(card)
    return dict(network.state_dict())


def _check(name: str, state: State, wanted: Tensor) -> None:
    if name not in state:
        raise ForeignWeights(
            f"{name!r} of shape {list(wanted.shape)} is wanted, but is not among the {len(state)} "
            f"names of the file, which begin with {next(iter(state))!r}"
        )
    seen = state[name]
    if _without_ones(seen) != _without_ones(wanted):
        raise ForeignWeights(f"{name!r} has shape {list(seen.shape)}, the network wants {list(wanted.shape)}")
    if seen.is_floating_point() != wanted.is_floating_point():
        raise ForeignWeights(f"{name!r} holds {seen.dtype}, the network wants {wanted.dtype} or another width of it")


def _without_ones(tensor: Tensor) -> list[int]:
    return [length for length in tensor.shape if length != 1]


def _in_shape(tensor: Tensor, wanted: Tensor) -> Tensor:
    return tensor if tensor.shape == wanted.shape else tensor.reshape(wanted.shape)


def _network(card: ModelCard) -> str:
    return f"{card.architecture.name!r} with {len(card.taxa)} labels"
