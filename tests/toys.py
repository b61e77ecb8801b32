"""Toy models that really run: tiny networks with random weights, their cards and their folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from fishgate.model_card import CARD_FILE, ModelCard, fingerprint_of, sha256_of

WEIGHTS = "weights.safetensors"
FEATURES = "gate.safetensors"

TAXA: list[dict[str, Any]] = [
    {
        "label": "Tilapia",
        "scientific_name": "Oreochromis niloticus",
        "rank": "species",
        "kingdom": "Animalia",
        "phylum": "Chordata",
        "class": "Actinopterygii",
        "order": "Cichliformes",
        "family": "Cichlidae",
    },
    {"label": "Gourami", "scientific_name": "Trichopodus", "rank": "genus"},
    {"label": "Mystery fish"},
]

SHUFFLENET = {"library": "torchvision", "name": "shufflenet_v2_x0_5"}

CLIP_CONFIG: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def card_json(kind: str = "expert", **changes: Any) -> dict[str, Any]:
    """Return the JSON of a card that is right in every point, but for the changes."""
    clip = {"library": "open_clip", "name": "toy", "config": CLIP_CONFIG}
    card = {
        "name": f"toy-{kind}",
        "version": f"{kind}-1",
        "kind": kind,
        "architecture": clip if kind == "zero_shot" else SHUFFLENET,
        "weights": {"file": WEIGHTS, "sha256": "0" * 64},
        "preprocessing": {
            "width_px": 32,
            "height_px": 32,
            "resize_mode": "squash",
            "interpolation": "bilinear",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        "labels": {str(i): taxon for i, taxon in enumerate(TAXA)},
        "gate": {"threshold": 0.5, "evidence": "none, it is a toy"},
        "training": {},
        "metrics": {},
        "limits": "knows nothing",
        "licence": "none needed",
    }
    return {**card, **changes}


def card(kind: str = "expert", **changes: Any) -> ModelCard:
    """Return such a card as a record."""
    return ModelCard.model_validate(card_json(kind, **changes))


def certified(value: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the JSON of an expert's card with a certificate that was given to it, but for the changes."""
    certificate = {
        "risk": 0.02,
        "confidence": 0.95,
        "method": "none, it is a toy",
        "pictures": 400,
        "accepted": 300,
        "wrong": 1,
        "coverage": 0.75,
        "data_sha256": "d" * 64,
        "model_sha256": fingerprint_of(ModelCard.model_validate(value)),
        **changes,
    }
    return {**value, "gate": {**value["gate"], "certificate": certificate}}


def write_features(folder: Path, *, width: int = 1024, directions: int = 4) -> dict[str, str]:
    """Write random points in the feature space of the toy expert; return what a rule says of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(9)
    whitening = random.normal(0.0, 1.0, (width, 4)).astype(np.float32)
    points = random.normal(0.0, 0.2, (len(TAXA), directions)).astype(np.float32)
    save_arrays({"whitening": whitening, "points": points}, folder / FEATURES)
    return {"file": FEATURES, "sha256": sha256_of(folder / FEATURES)}


def write_folder(folder: Path, network: torch.nn.Module, kind: str = "expert", **changes: Any) -> Path:
    """Write a model's weights and the card that fits them; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / WEIGHTS)
    weights = {"file": WEIGHTS, "sha256": sha256_of(folder / WEIGHTS)}
    text = json.dumps(card_json(kind, weights=weights, **changes))
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
    return folder


def toy_expert() -> torch.nn.Module:
    """A ShuffleNet with three outputs and random weights, always the same."""
    import torchvision

    torch.manual_seed(5)
    network: Any = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None, num_classes=len(TAXA))
    with torch.no_grad():  # without it, random weights say nearly the same of every picture
        for part in network.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.momentum = 1.0
        network(torch.randn(32, 3, 32, 32) + torch.randn(32, 3, 1, 1))
        network.fc.weight.mul_(5.0)
    return cast(torch.nn.Module, network.eval())


def toy_clip() -> torch.nn.Module:
    """A tiny CLIP with random weights, always the same."""
    import open_clip

    torch.manual_seed(6)
    return cast(torch.nn.Module, open_clip.CLIP(**CLIP_CONFIG))
