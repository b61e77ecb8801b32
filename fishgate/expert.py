"""The expert: a torchvision classifier for the species that it was trained on.

Owns how such a network is built from its model card and run on a batch. The batch call is the
real one; length and order in = out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from fishgate.answer import Probabilities
from fishgate.device import Device
from fishgate.errors import CardError, WeightsError
from fishgate.model_card import Kind, Library, ModelCard, checked_weights, read_card
from fishgate.preprocessing import Pixels, normalise


class Expert:
    """A loaded expert; make one with ``load_expert``."""

    def __init__(self, card: ModelCard, network: nn.Module, device: Device) -> None:
        self.card = card
        self._device = device
        self._network = network.eval().to(device.name, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def predict(self, batch: Sequence[Pixels]) -> list[Probabilities]:
        """Return each picture's probabilities over the card's labels, in the order given."""
        if not batch:
            return []
        pictures = normalise(batch, self.card.preprocessing, device=self._device.name)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with self._device.autocast():
            logits = self._network(pictures)  # (B, labels)
        probabilities = torch.softmax(logits.float() / self.card.temperature, dim=1)
        return list(probabilities.cpu().numpy())


def load_expert(folder: Path, device: Device) -> Expert:
    """Load the expert from its card and weights; raise LoadError rather than serve it wrongly."""
    card = read_card(folder, kind=Kind.EXPERT)
    network = build_classifier(card)
    load_weights(network, card, checked_weights(card, folder))
    return Expert(card, network, device)


def build_classifier(card: ModelCard) -> nn.Module:
    """Build the network that the card names, with one output for each label, without weights."""
    architecture = card.architecture
    if architecture.library is not Library.TORCHVISION:
        raise CardError(f"an expert is built by torchvision, the card says {architecture.library.value!r}")
    if architecture.name not in torchvision.models.list_models(torchvision.models):
        raise CardError(f"torchvision has no classifier {architecture.name!r}; see torchvision.models.list_models()")
    try:
        network = torchvision.models.get_model(
            architecture.name, weights=None, num_classes=len(card.taxa), **architecture.config
        )
    except TypeError as error:
        raise CardError(f"architecture.config of {card.name!r} is not allowed: {error}") from None
    return cast(nn.Module, network)


def load_weights(network: nn.Module, card: ModelCard, path: Path) -> None:
    """Copy the weights into the network; raise WeightsError if a name or a shape does not fit."""
    try:
        network.load_state_dict(
            {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in load_file(path).items()}
        )
    except SafetensorError as error:
        raise WeightsError(f"{card.weights.file!r} is no safetensors file, or is damaged: {error}") from None
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise WeightsError(
            f"{card.weights.file!r} does not fit {card.architecture.name!r} with {len(card.taxa)} labels: {reason}"
        ) from None
