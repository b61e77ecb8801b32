"""The demo's zero-shot network and how it learns to match pictures and names.

Owns the network's shape and its loss. Prompts are built by ``fishgate.zero_shot``, in training as
in serving.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import open_clip
import torch
from torch import nn

from fishgate.model_card import TextType
from fishgate.taxonomy import Taxon
from fishgate.text_embeddings import TEMPLATES, name_of
from training.backbone import TIMM_NAME, State, fill_timm_tower

CONTEXT_LENGTH = 32
"""Tokens of a prompt: the longest scientific name with its common name takes 30. The time to embed
all names when the server starts grows with it."""

TEXT_TYPES = (TextType.COMMON, TextType.SCIENTIFIC, TextType.SCIENTIFIC_COMMON)
"""The ways to write a name that fit into the context; whole lineages do not."""

FROZEN_PARTS = ("conv_stem", "bn1", "blocks.0", "blocks.1")  # the same layers as the expert's FROZEN_LAYERS
MAX_LOGIT_SCALE = 100.0  # CLIP's own bound


def clip_config(size_px: int) -> dict[str, Any]:
    """Return the configuration of ``open_clip.CLIP``: a MobileNetV2 and a text tower of two layers.

    The vocabulary is SimpleTokenizer's; at 96 numbers a token it is two thirds of the weights.
    """
    return {
        "embed_dim": 128,
        "vision_cfg": {
            "timm_model_name": TIMM_NAME,
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": size_px,
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": 49408,
            "width": 96,
            "heads": 4,
            "layers": 2,
        },
    }


def clip_from(backbone: State, *, size_px: int) -> open_clip.CLIP:
    """Return the network with the backbone as image tower; the text tower has learnt nothing yet."""
    network = open_clip.CLIP(**clip_config(size_px))
    fill_timm_tower(network.visual.trunk, backbone)
    return network


class ClipLearner:
    """Learns to tell, for each picture, its own name among all the candidates' names.

    Each step writes each name in another way (a random template, a random kind of name), so that
    the text tower learns what the ways have in common.
    """

    def __init__(self, network: open_clip.CLIP, taxa: Sequence[Taxon], *, seed: int) -> None:
        self.network = network
        self._taxa = taxa
        self._choices = random.Random(seed)
        self._tokenizer = open_clip.SimpleTokenizer(context_length=CONTEXT_LENGTH)
        trunk = network.visual.trunk.to(memory_format=torch.channels_last)
        for part in FROZEN_PARTS:
            trunk.get_submodule(part).requires_grad_(False)
        self.backbone = [parameter for parameter in trunk.parameters() if parameter.requires_grad]
        in_trunk = {id(parameter) for parameter in trunk.parameters()}
        self.head = [parameter for parameter in network.parameters() if id(parameter) not in in_trunk]

    def set_training(self) -> None:
        """Train with the statistics of the backbone: those of small batches are noise."""
        self.network.train()
        self.network.visual.trunk.eval()

    def loss(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy of the pictures over all candidates."""
        features = self.network.encode_image(pictures, normalize=True)  # (B, D)
        names = self.network.encode_text(self._tokenizer(self._prompts()), normalize=True)  # (labels, D)
        scale = self.network.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)
        return nn.functional.cross_entropy(scale * features @ names.T, labels)

    def _prompts(self) -> list[str]:
        return [
            self._choices.choice(TEMPLATES)(name_of(taxon, self._choices.choice(TEXT_TYPES))) for taxon in self._taxa
        ]
