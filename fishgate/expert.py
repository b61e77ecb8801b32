"""The expert: a classifier for the species that it was trained on.

Owns how it is loaded from its model card and run on a batch. The batch call is the real one;
length and order in = out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from fishgate import gate_score
from fishgate.answer import Probabilities
from fishgate.device import Device
from fishgate.errors import WeightsError
from fishgate.gate_score import Geometry
from fishgate.model_card import Kind, ModelCard, checked_weights, read_card
from fishgate.networks import build_network, head_of, logits_and_features
from fishgate.preprocessing import Pixels, normalise
from fishgate.weights import checked_file


@dataclass(frozen=True)
class Finding:
    """What the expert finds in one picture: probabilities over the card's labels, and how certain it
    is of the first of them (0 to 1), which the gate reads."""

    probabilities: Probabilities
    certainty: float


class Expert:
    """A loaded expert; make one with ``load_expert``.

    ``geometry`` is the file of ``card.gate.rule.features``, which a rule with a feature distance needs.
    """

    def __init__(
        self, card: ModelCard, network: nn.Module, device: Device, *, geometry: Geometry | None = None
    ) -> None:
        if geometry is None and gate_score.needs_features(card.gate.rule):
            raise WeightsError(f"the gate of {card.name!r} weighs a feature distance, but no geometry was given")
        self.card = card
        self._device = device
        self._geometry = geometry
        self._network = network.eval().to(device.name, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def predict(self, batch: Sequence[Pixels]) -> list[Probabilities]:
        """Return each picture's probabilities over the card's labels, in the order given."""
        return [finding.probabilities for finding in self.examine(batch)]

    @torch.inference_mode()
    def examine(self, batch: Sequence[Pixels]) -> list[Finding]:
        """Return each picture's probabilities and certainty, in the order given, by one forward pass."""
        if not batch:
            return []
        logits, features = self._pass(batch)
        probabilities = torch.softmax(logits / self.card.temperature, dim=1)
        certainties = self._certainties(logits, features, probabilities)
        return [
            Finding(probabilities=row, certainty=certainty)
            for row, certainty in zip(probabilities.cpu().numpy(), certainties, strict=True)
        ]

    def _pass(self, batch: Sequence[Pixels]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the logits (B, labels), and the features (B, D) if the gate reads them."""
        pictures = normalise(batch, self.card.preprocessing, device=self._device.name)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with self._device.autocast():
            if self._geometry is None:
                return self._network(pictures).float(), None
            logits, features = logits_and_features(self._network, pictures)
        return logits.float(), features.float()

    def _certainties(
        self, logits: torch.Tensor, features: torch.Tensor | None, probabilities: torch.Tensor
    ) -> Iterable[float]:
        rule = self.card.gate.rule
        if rule is None:  # to the last digit the confidence of the first name
            return map(float, probabilities.amax(dim=1))
        measured = gate_score.measures(
            logits.cpu().numpy(),
            temperature=self.card.temperature,
            features=None if features is None else features.cpu().numpy(),
            geometry=self._geometry,
        )
        return map(float, gate_score.certainty(rule, measured))


def load_expert(folder: Path, device: Device) -> Expert:
    """Load the expert from its card and weights; raise LoadError rather than serve it wrongly."""
    card = read_card(folder, kind=Kind.EXPERT)
    network = build_classifier(card)
    load_weights(network, card, checked_weights(card, folder))
    return Expert(card, network, device, geometry=_load_geometry(card, folder, network))


def build_classifier(card: ModelCard) -> nn.Module:
    """Build the network that the card names, with one output for each label, without weights."""
    return build_network(card.architecture, len(card.taxa))


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


def _load_geometry(card: ModelCard, folder: Path, network: nn.Module) -> Geometry | None:
    if card.gate.rule is None or card.gate.rule.features is None:
        return None
    file = checked_file(card.gate.rule.features, folder, owner=card.name, what="gate features")
    geometry = gate_score.read_geometry(file)
    features = head_of(network).in_features
    width = geometry.whitening.shape[-1]
    if geometry.whitening.shape != (features, width) or geometry.points.shape[1:] != (width,):
        raise WeightsError(
            f"{file.name!r} holds whitening {geometry.whitening.shape} and points {geometry.points.shape}; "
            f"{card.architecture.name!r} wants ({features}, R) and (P, R)"
        )
    return geometry
