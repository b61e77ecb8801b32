"""The text embeddings of a zero-shot pack and of species lists, computed once.

What they depend on, and how a server reads them, is the business of ``fishgate.text_embeddings``
and ``fishgate.list_embeddings``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import save_file

from fishgate.device import Device, choose_device
from fishgate.expert import load_weights
from fishgate.list_embeddings import Embeddings
from fishgate.model_card import Kind, ModelCard, checked_weights, read_card
from fishgate.species_list import SpeciesList
from fishgate.text_embeddings import (
    EMBEDDINGS_FILE,
    EMBEDDINGS_TENSOR,
    NameEncoder,
    name_of,
    prompt_names,
    stored_texts,
    texts_identity,
)
from fishgate.zero_shot import build_clip
from packs.storage import prepared_folder, put_in_place


def store_embeddings(pack: Path, device: Device | None = None) -> bool:
    """Compute and write the embeddings of the pack's labels; return False if they are there already."""
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    if stored_texts(card, pack) is not None:
        return False
    encoder = encoder_of(card, pack, device or choose_device(0))
    texts = embedded(prompt_names(card), encoder, what="zero_shot")
    with prepared_folder(pack) as folder:
        save_file({EMBEDDINGS_TENSOR: texts}, folder / EMBEDDINGS_FILE, metadata=texts_identity(card))
        put_in_place(folder, pack, [EMBEDDINGS_FILE])
    return True


def encoder_of(card: ModelCard, pack: Path, device: Device) -> NameEncoder:
    """Load the text side of a pack's model."""
    network = build_clip(card)
    load_weights(network, card, checked_weights(card, pack))
    return NameEncoder(card, network.eval().to(device.name), device)  # no autocast: kept in full precision


def list_computer(card: ModelCard, pack: Path, device: Device) -> Callable[[SpeciesList], Embeddings]:
    """Load a pack's model and return what computes the embeddings of a species list."""
    encoder = encoder_of(card, pack, device)

    def compute(species: SpeciesList) -> Embeddings:
        names = [name_of(taxon, card.prompts.text_type) for taxon in species.prompt_taxa]
        return embedded(names, encoder, what=f"species list {species.name}").numpy().astype(np.float16)

    return compute


def embedded(names: Sequence[str], encoder: NameEncoder, *, what: str) -> torch.Tensor:
    """Return the embeddings of names, shape (names, D), float32, while showing progress."""
    shown = track(names, description=f"{what}: text embeddings", console=Console(stderr=True))
    return torch.stack([encoder.embed(name).cpu() for name in shown])
