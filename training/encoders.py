"""The frozen encoders of a CLIP model: open_clip's by name, a checkpoint of one, or a pack of ours.

Owns how such a model is found, and its two sides as plain arrays. What is learnt on its features is
said by ``training.linear_probe``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg
from torch import nn

from fishgate.expert import load_weights
from fishgate.model_card import Kind, checked_weights, read_card
from fishgate.preprocessing import Interpolation, Pixels, Preprocessing, ResizeMode, normalise
from fishgate.zero_shot import build_clip
from training.clip_settings import ClipModel
from training.features import Features
from training.linear_head import unit
from training.optimisation import choose_device
from training.recipe import Picture, project_path

RESIZE_MODES = {"shortest": ResizeMode.CROP, "squash": ResizeMode.SQUASH}
"""How open_clip calls the two ways that pictures are scaled here."""

TEXTS_AT_ONCE = 256


class EncoderError(ValueError):
    """A model that cannot be had or is not understood; says which, and what to do."""


@dataclass(frozen=True)
class ClipEncoder:
    """A CLIP model that is not trained. ``name`` is for people; ``key`` is a mark of the image side."""

    name: str
    key: str
    preprocessing: Preprocessing
    network: Any
    tokenizer: Callable[[list[str]], torch.Tensor]
    device: str

    @torch.inference_mode()
    def encode(self, batch: Sequence[Pixels]) -> Features:
        """Return the features of scaled pictures: (B, D), in single precision, of any length."""
        pictures = normalise(batch, self.preprocessing, device=self.device)
        return np.asarray(self.network.encode_image(pictures).float().cpu().numpy())

    @torch.inference_mode()
    def zero_shot_head(self, labels: Sequence[str], templates: Sequence[str]) -> Features:
        """Return each label's embedding, averaged over the templates and as long as the model's scale: (labels, D)."""
        texts = [template.replace("{}", label) for label in labels for template in templates]
        parts = [texts[i : i + TEXTS_AT_ONCE] for i in range(0, len(texts), TEXTS_AT_ONCE)]
        embeddings = np.concatenate([self._embedded(part) for part in parts])
        means = unit(embeddings).reshape(len(labels), len(templates), -1).mean(axis=1)
        return float(self.network.logit_scale.exp()) * unit(means)

    def _embedded(self, texts: list[str]) -> Features:
        tokens = self.tokenizer(texts).to(self.device)
        return np.asarray(self.network.encode_text(tokens).float().cpu().numpy())


def load_encoder(model: ClipModel, picture: Picture | None) -> ClipEncoder:
    """Load the model that a recipe names; ``picture`` replaces its own preprocessing.

    Raises EncoderError if open_clip does not know it or its weights cannot be fetched, LoadError for
    a pack that is not whole.
    """
    if model.pack is not None:
        return _from_pack(project_path(model.pack), picture)
    network = _from_open_clip(model)
    name = ", ".join(str(given) for given in (model.name, model.pretrained or model.checkpoint) if given)
    preprocessing = picture.preprocessing() if picture else _own_preprocessing(network)
    # The name says how the network is built, which the weights alone do not (its activations, for one).
    key = _key(network, [model.name, model.pretrained])
    return _encoder(name, key, preprocessing, network, open_clip.get_tokenizer(model.name))


def _from_pack(folder: Path, picture: Picture | None) -> ClipEncoder:
    card = read_card(folder, kind=Kind.ZERO_SHOT)
    network = build_clip(card)
    load_weights(network, card, checked_weights(card, folder))
    preprocessing = picture.preprocessing() if picture else card.preprocessing
    context = card.architecture.config.get("text_cfg", {}).get("context_length", 77)
    name = f"{card.architecture.name}, {card.version}"
    tokenizer = open_clip.SimpleTokenizer(context_length=context)
    return _encoder(name, _key(network, card.architecture.config), preprocessing, network, tokenizer)


def _from_open_clip(model: ClipModel) -> nn.Module:
    """Build the model and load its weights: those of a file, or fetched by open_clip."""
    assert model.name is not None  # the recipe has seen to it
    weights = str(project_path(model.checkpoint)) if model.checkpoint else model.pretrained
    if model.checkpoint and not Path(str(weights)).is_file():
        raise EncoderError(f"there is no checkpoint {model.checkpoint}; paths start from the project's folder")
    try:
        network: nn.Module = open_clip.create_model(model.name, pretrained=weights)
    except Exception as error:  # whatever its libraries for downloads, archives and files raise
        raise EncoderError(_unavailable(model, error)) from error
    return network


def _unavailable(model: ClipModel, error: Exception) -> str:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    if model.checkpoint:
        return f"the checkpoint {model.checkpoint.name!r} is none of the open_clip model {model.name!r}: {reason}"
    return (
        f"open_clip cannot provide {model.name!r} with the weights {model.pretrained or 'of that hub repository'!r}: "
        f"{reason}; where the machine cannot download, fetch them elsewhere and name the file as model.checkpoint, "
        "or name a folder with a zero-shot pack as model.pack"
    )


def _own_preprocessing(network: nn.Module) -> Preprocessing:
    """Return the preprocessing that open_clip attaches to a model."""
    own: Any = PreprocessCfg(**getattr(network.visual, "preprocess_cfg", {}))
    height, width = own.input_size[1:]
    try:
        resize_mode, interpolation = RESIZE_MODES[own.resize_mode], Interpolation(own.interpolation)
    except (KeyError, ValueError):
        raise EncoderError(
            f"the model scales pictures by {own.resize_mode!r} with {own.interpolation!r}, which is not known here; "
            "say in [picture] how it shall be done"
        ) from None
    return Preprocessing(
        width_px=width,
        height_px=height,
        resize_mode=resize_mode,
        interpolation=interpolation,
        mean=own.mean,
        std=own.std,
    )


def _encoder(
    name: str,
    key: str,
    preprocessing: Preprocessing,
    network: nn.Module,
    tokenizer: Callable[[list[str]], torch.Tensor],
) -> ClipEncoder:
    device = choose_device()
    return ClipEncoder(name, key, preprocessing, network.eval().to(device), tokenizer, device)


def _key(network: nn.Module, described: object) -> str:
    """Return the SHA-256 of how the network is built and of the weights of its image side."""
    digest = hashlib.sha256(json.dumps(described).encode())
    visual: Any = network.visual
    for name, tensor in visual.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
