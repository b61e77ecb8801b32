"""A network made ready for training: its head, its backbone, its first layers left as they are.

Owns these parts and their modes. Start weights are ``training.start_weights``'; how a network is
built is said by ``fishgate.networks``.
"""

from __future__ import annotations

import torch
from torch import nn

from fishgate.model_card import Architecture
from fishgate.networks import build_network, head_of
from training.network_settings import RANDOM, Network
from training.start_weights import StartError, load_all_but_head, name_of, start_state


class ClassifierLearner:
    """A classifier in training: its head, the part of its backbone that may learn, and its modes."""

    def __init__(self, network: nn.Module, *, frozen_layers: int = 0, learns_statistics: bool = False) -> None:
        """Take a network whose first layers stay as they are; raise StartError if it has fewer.

        With ``learns_statistics`` batch normalisation learns its mean and variance too.
        """
        self.network: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._frozen = _first_layers(network, frozen_layers)
        self._learns_statistics = learns_statistics
        for layer in self._frozen:
            layer.requires_grad_(False)
        head = head_of(network)
        self._around_head = network.get_submodule(name_of(network, head).rpartition(".")[0])
        self.head = list(head.parameters())
        in_head = {id(parameter) for parameter in self.head}
        self.backbone = [p for p in network.parameters() if p.requires_grad and id(p) not in in_head]

    def set_training(self) -> None:
        """Train with the statistics of the start weights, if there are any: those of small batches are noise."""
        self.network.train(self._learns_statistics)
        if self._around_head is not self.network:
            self._around_head.train()  # for its dropout
        for layer in self._frozen:
            layer.eval()

    def scores(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, classes) of a normalised batch (B, 3, H, W)."""
        logits: torch.Tensor = self.network(pictures)
        return logits


def learner_from(described: Network, *, classes: int) -> ClassifierLearner:
    """Build the network that a recipe describes, with its start weights and a new head."""
    network = build_network(Architecture(library=described.library, name=described.name), classes)
    if described.start != RANDOM:
        load_all_but_head(network, start_state(described, network), origin=described.start)
    return ClassifierLearner(
        network, frozen_layers=described.frozen_layers, learns_statistics=described.start == RANDOM
    )


def layers_of(network: nn.Module) -> list[nn.Module]:
    """Return the layers before the head in the order of the data, sequences of layers taken apart."""
    features = getattr(network, "features", None)
    parts = [features] if isinstance(features, nn.Sequential) else list(network.children())
    layers = [layer for part in parts for layer in (part.children() if isinstance(part, nn.Sequential) else [part])]
    head = head_of(network)
    return [layer for layer in layers if all(part is not head for part in layer.modules())]


def _first_layers(network: nn.Module, count: int) -> list[nn.Module]:
    layers = layers_of(network)
    if count > len(layers):
        raise StartError(f"frozen_layers is {count}, a {type(network).__name__} has {len(layers)} before its head")
    return layers[:count]
