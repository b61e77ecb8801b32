"""A zero-shot pack run over photographs: its logits and the embeddings of the pictures.

Owns that run, through the code that serves the pack. What is read off the logits is said by
``training.zero_shot_figures``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from fishgate.device import Device
from fishgate.expert import load_weights
from fishgate.model_card import Kind, ModelCard, checked_weights, read_card
from fishgate.preprocessing import normalise
from fishgate.text_embeddings import NameEncoder, prompt_names
from fishgate.zero_shot import build_clip
from training.optimisation import choose_device
from training.photos import Photo, read_pixels

PICTURES_AT_ONCE = 32


@torch.inference_mode()
def clip_passes(pack: Path, photos: Sequence[Photo], folder: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the logits over the card's labels at temperature 1, (N, labels), and unit-length embeddings, (N, D)."""
    card, device = read_card(pack, kind=Kind.ZERO_SHOT), choose_device()
    network: Any = build_clip(card)
    load_weights(network, card, checked_weights(card, pack))
    network = network.eval().to(device)
    names = _names(card, network, device)
    parts = []
    for start in tqdm(range(0, len(photos), PICTURES_AT_ONCE), desc="predicting", unit="batch", mininterval=5):
        pixels = [read_pixels(photo, folder, card.preprocessing) for photo in photos[start : start + PICTURES_AT_ONCE]]
        pictures = normalise(pixels, card.preprocessing, device=device)
        parts.append(torch.nn.functional.normalize(network.encode_image(pictures).float(), dim=1))
    embeddings = torch.cat(parts)
    logits = network.logit_scale.exp() * embeddings @ names.T
    return logits.cpu().numpy(), embeddings.cpu().numpy()


def _names(card: ModelCard, network: torch.nn.Module, device: str) -> torch.Tensor:
    encoder = NameEncoder(card, network, Device(device))
    names = tqdm(prompt_names(card), desc="embedding names", unit="name", mininterval=5)
    return torch.stack([encoder.embed(name) for name in names])  # (labels, D)
