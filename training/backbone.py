"""The starting point of both networks: a MobileNetV2 that has learnt ImageNet, or the expert made of it.

Owns how its weights are read, how they enter torchvision's classifier and how they are renamed
for the same network in timm, which open_clip uses as an image tower.
"""

from __future__ import annotations

from pathlib import Path

import timm
import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

State = dict[str, torch.Tensor]

HEAD = "classifier."
TORCHVISION_NAME = "mobilenet_v2"
TIMM_NAME = "mobilenetv2_100"


def read_backbone(path: Path) -> State:
    """Read a torchvision MobileNetV2 without its head, whose outputs are not those of the new network."""
    state = {name: tensor for name, tensor in load_file(path).items() if not name.startswith(HEAD)}
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def classifier_from(backbone: State, *, classes: int) -> nn.Module:
    """Return torchvision's MobileNetV2 with the backbone's weights and a new head."""
    network: nn.Module = torchvision.models.get_model(TORCHVISION_NAME, weights=None, num_classes=classes)
    _load_all_but_head(network, backbone)
    return network


def fill_timm_tower(tower: nn.Module, backbone: State) -> None:
    """Copy a torchvision backbone into timm's MobileNetV2; raise ValueError if they differ in shape."""
    _load_all_but_head(tower, timm_state(backbone))


def timm_state(backbone: State) -> State:
    """Rename a torchvision backbone for timm: both list the same layers, in the order of the data."""
    theirs = timm.create_model(TIMM_NAME, pretrained=False, num_classes=0).state_dict()
    ours = torchvision.models.get_model(TORCHVISION_NAME, weights=None).state_dict()
    names = [name for name in ours if not name.startswith(HEAD)]
    for name, (their_name, tensor) in zip(names, theirs.items(), strict=True):
        if backbone[name].shape != tensor.shape:
            raise ValueError(f"{name!r} has shape {tuple(backbone[name].shape)}, {their_name!r} in timm differs")
    return {their_name: backbone[name] for name, their_name in zip(names, theirs, strict=True)}


def _load_all_but_head(network: nn.Module, state: State) -> None:
    missing, unexpected = network.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.startswith(HEAD)]
    if missing or unexpected:
        raise ValueError(f"the backbone does not fit: missing {missing[:3]}, not known {unexpected[:3]}")
