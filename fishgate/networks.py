"""The networks that classify pictures: how one is built from its name, and what one pass of it gives.

Owns the builders of each library and the project's own small network. It does not know weights,
labels or gates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torchvision
from torch import nn

from fishgate.errors import CardError
from fishgate.model_card import Architecture, Library

SMALL_CNN = "small_cnn"

# What torchvision would do otherwise: a second output in training, which no loss of ours reads; pictures
# normalised twice; and, in inception_v3, random weights drawn slowly that any start overwrites.
_WITHOUT_EXTRAS: dict[str, dict[str, Any]] = {
    "inception_v3": {"aux_logits": False, "transform_input": False, "init_weights": False},
    "googlenet": {"aux_logits": False, "transform_input": False, "init_weights": False},
}


def build_network(architecture: Architecture, classes: int) -> nn.Module:
    """Build the network with one output for each class and random weights; never downloads any.

    It takes pictures of shape (B, 3, H, W) and gives logits (B, classes), in training too. Raises
    CardError if the library, the name or a key of ``config`` is not known.
    """
    build = _BUILDERS.get(architecture.library)
    if build is None:
        allowed = ", ".join(library.value for library in _BUILDERS)
        raise CardError(f"a classifier is built by one of {allowed}; the card says {architecture.library.value!r}")
    try:
        return build(architecture.name, classes, architecture.config)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise CardError(f"architecture.config of {architecture.name!r} is not allowed: {error}") from None


def head_of(network: nn.Module) -> nn.Linear:
    """Return the last linear layer, which turns features into logits; raise CardError if there is none."""
    layers = [part for part in network.modules() if isinstance(part, nn.Linear)]
    if not layers:
        raise CardError(f"a {type(network).__name__} has no linear layer at its end, so no features can be read off it")
    return layers[-1]


def logits_and_features(network: nn.Module, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits (B, classes), and what enters the last linear layer, (B, D), of one pass.

    Dropout before that layer belongs to the features: call it on a network in evaluation mode.
    """
    seen: list[torch.Tensor] = []
    hook = head_of(network).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        logits: torch.Tensor = network(pictures)
    finally:
        hook.remove()
    return logits, seen[-1]


class SmallCnn(nn.Module):
    """Three blocks of convolution, batch normalisation, ReLU, pooling and dropout; their mean over the
    picture; one linear layer. ``widths`` are the channels of the blocks. Takes any picture from 8 × 8."""

    def __init__(self, classes: int, *, widths: Sequence[int] = (32, 64, 128), dropout: float = 0.25) -> None:
        super().__init__()
        inputs = (3, *widths)
        self.blocks = nn.Sequential(*(_block(*pair, dropout) for pair in zip(inputs, widths, strict=False)))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(inputs[-1], classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (B, classes), of pictures (B, 3, H, W)."""
        logits: torch.Tensor = self.head(self.pool(self.blocks(pictures)).flatten(1))
        return logits


def _block(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Dropout2d(dropout),
    )


def _from_torchvision(name: str, classes: int, config: dict[str, Any]) -> nn.Module:
    if name not in torchvision.models.list_models(torchvision.models):
        raise CardError(f"torchvision has no classifier {name!r}; see torchvision.models.list_models()")
    settings = {**_WITHOUT_EXTRAS.get(name, {}), **config}
    network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=classes, **settings)
    return network


def _from_timm(name: str, classes: int, config: dict[str, Any]) -> nn.Module:
    import timm  # a second or more, which experts of torchvision need not wait for

    if not timm.is_model(name):
        raise CardError(f"timm has no classifier {name!r}; see timm.list_models()")
    # Named here so that a card cannot set them: they would load other weights, from a pickle or from afar.
    network: nn.Module = timm.create_model(
        name, pretrained=False, pretrained_cfg=None, checkpoint_path="", num_classes=classes, **config
    )
    return network


def _from_fishgate(name: str, classes: int, config: dict[str, Any]) -> nn.Module:
    if name != SMALL_CNN:
        raise CardError(f"fishgate has no classifier {name!r}; it has {SMALL_CNN!r}")
    return SmallCnn(classes, **config)


_BUILDERS: dict[Library, Callable[[str, int, dict[str, Any]], nn.Module]] = {
    Library.TORCHVISION: _from_torchvision,
    Library.TIMM: _from_timm,
    Library.FISHGATE: _from_fishgate,
}
