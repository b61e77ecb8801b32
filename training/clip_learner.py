"""The demo's zero-shot network and how it learns to match pictures and names.

Owns the network's shape, its start, and the scores that its loss is made of. Prompts are built by
``fishgate.text_embeddings``, in training as in serving. The steps are those of ``training.stages``.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, cast

import open_clip
import torch
from torch import nn

from fishgate.model_card import Architecture, Library, TextType
from fishgate.networks import build_network, head_of
from fishgate.taxonomy import Taxon
from fishgate.text_embeddings import TEMPLATES, name_of
from training.clip_settings import Matching
from training.network_settings import RANDOM, Network
from training.start_weights import StartError, load_all_but_head, start_state

CONTEXT_LENGTH = 32
"""Tokens of a prompt: the longest scientific name with its common name takes 30. The time to embed
all names when the server starts grows with it."""

TEXT_TYPES = (TextType.COMMON, TextType.SCIENTIFIC, TextType.SCIENTIFIC_COMMON)
"""The ways to write a name that fit into the context; whole lineages do not."""

VOCABULARY = 49408  # SimpleTokenizer's
MAX_LOGIT_SCALE = 100.0  # CLIP's own bound


def clip_config(described: Network, matching: Matching, *, size_px: int) -> dict[str, Any]:
    """Return the configuration of ``open_clip.CLIP``: a network of timm and a small text tower.

    Raises StartError for a network of another library: open_clip takes no other.
    """
    if described.library is not Library.TIMM:
        raise StartError(f"an image tower is built by timm; network.library is {described.library.value!r}")
    return {
        "embed_dim": matching.embedding,
        "vision_cfg": {
            "timm_model_name": described.name,
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "timm_drop": matching.dropout,
            "image_size": size_px,
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": VOCABULARY,
            "width": matching.text_width,
            "heads": matching.text_heads,
            "layers": matching.text_layers,
        },
    }


def clip_from(described: Network, config: dict[str, Any]) -> nn.Module:
    """Build the network with the start weights in its image tower; the text tower has learnt nothing yet."""
    network: Any = open_clip.CLIP(**config)
    if described.start != RANDOM:
        _fill(network.visual.trunk, described)
    return nn.Module.to(network, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class ClipLearner:
    """Learns to tell, for each picture, its own name among all the candidates' names.

    Each training step writes each name in another way (a random template, a random kind of name), so
    that the text tower learns what the ways have in common.
    """

    def __init__(self, network: nn.Module, taxa: Sequence[Taxon], *, frozen_layers: int = 0) -> None:
        """Take a network whose first layers of the image tower stay as they are."""
        self.network = network
        self._clip = cast(Any, network)
        self._taxa = taxa
        self._tokenizer = open_clip.SimpleTokenizer(context_length=CONTEXT_LENGTH)
        self._plain = self._tokenizer([f"a photo of a {name_of(taxon, TextType.SCIENTIFIC_COMMON)}." for taxon in taxa])
        self._trunk = network.get_submodule("visual.trunk")
        for layer in _first_layers(self._trunk, frozen_layers):
            layer.requires_grad_(False)
        self.backbone = [parameter for parameter in self._trunk.parameters() if parameter.requires_grad]
        in_trunk = {id(parameter) for parameter in self._trunk.parameters()}
        self.head = [parameter for parameter in network.parameters() if id(parameter) not in in_trunk]

    def set_training(self) -> None:
        """Train with the statistics of the backbone: those of small batches are noise."""
        self.network.train()
        self._trunk.eval()

    def scores(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, candidates) of a normalised batch (B, 3, H, W)."""
        features = self._clip.encode_image(pictures, normalize=True)  # (B, D)
        tokens = self._varied() if self.network.training else self._plain
        names = self._clip.encode_text(tokens.to(pictures.device), normalize=True)  # (candidates, D)
        scale = self._clip.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)
        logits: torch.Tensor = scale * features @ names.T
        return logits

    def _varied(self) -> torch.Tensor:
        # Python's own chance, which a checkpoint keeps.
        choose = random.choice
        prompts = [choose(TEMPLATES)(name_of(taxon, choose(TEXT_TYPES))) for taxon in self._taxa]
        return cast(torch.Tensor, self._tokenizer(prompts))


def _fill(trunk: nn.Module, described: Network) -> None:
    """Copy the start weights of a classifier, all but its head, into the trunk, which is that network without it."""
    classifier = build_network(Architecture(library=described.library, name=described.name), 1)
    load_all_but_head(classifier, start_state(described, classifier), origin=described.start)
    head = next(name for name, part in classifier.named_modules() if part is head_of(classifier))
    state = {name: tensor for name, tensor in classifier.state_dict().items() if not name.startswith(f"{head}.")}
    trunk.load_state_dict(state)


def _first_layers(trunk: nn.Module, count: int) -> list[nn.Module]:
    """Return the first layers in the order of the data, sequences of layers taken apart; as in a classifier."""
    children = [list(part.children()) if isinstance(part, nn.Sequential) else [part] for part in trunk.children()]
    layers = [layer for part in children for layer in part]
    if count > len(layers):
        raise StartError(f"frozen_layers is {count}, the image tower has {len(layers)}")
    return layers[:count]
