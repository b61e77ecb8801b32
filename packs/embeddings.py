"""The text embeddings of a zero-shot pack, computed once and kept beside its weights.

What they depend on, and how a server reads them, is the business of ``fishgate.zero_shot``.
"""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import save_file

from fishgate.device import Device, choose_device
from fishgate.expert import load_weights
from fishgate.model_card import Kind, ModelCard, checked_weights, read_card
from fishgate.zero_shot import (
    EMBEDDINGS_FILE,
    EMBEDDINGS_TENSOR,
    NameEncoder,
    build_clip,
    prompt_names,
    stored_texts,
    texts_identity,
)
from packs.storage import prepared_folder, put_in_place


def store_embeddings(pack: Path, device: Device | None = None) -> bool:
    """Compute and write the embeddings of the pack's labels; return False if they are there already."""
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    if stored_texts(card, pack) is not None:
        return False
    texts = computed_texts(card, pack, device or choose_device(0))
    with prepared_folder(pack) as folder:
        save_file({EMBEDDINGS_TENSOR: texts}, folder / EMBEDDINGS_FILE, metadata=texts_identity(card))
        put_in_place(folder, pack, [EMBEDDINGS_FILE])
    return True


def computed_texts(card: ModelCard, pack: Path, device: Device) -> torch.Tensor:
    """Return the embeddings of the card's labels, shape (labels, D), float32, while showing progress."""
    network = build_clip(card)
    load_weights(network, card, checked_weights(card, pack))
    encoder = NameEncoder(card, network.eval().to(device.name), device)  # no autocast: kept in full precision
    console = Console(stderr=True)
    names = track(prompt_names(card), description="zero_shot: text embeddings", console=console)
    return torch.stack([encoder.embed(name).cpu() for name in names])
