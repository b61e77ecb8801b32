"""The text side of zero-shot: how a name becomes an embedding.

Owns the prompts, the bounded cache of embeddings, and the file that keeps those of a card's own
labels between two starts. Prompts follow BioCLIP (Stevens et al., 2024): each name in the 80
templates of OpenAI's ImageNet evaluation, averaged. It does not know pictures.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from fishgate.device import Device
from fishgate.model_card import ModelCard, TextType
from fishgate.taxonomy import Taxon

TEMPLATES: tuple[Callable[[str], str], ...] = tuple(open_clip.OPENAI_IMAGENET_TEMPLATES)
EMBEDDINGS_FILE = "text_embeddings.safetensors"
EMBEDDINGS_TENSOR = "embeddings"
_TEXTS_AT_ONCE = 80


class NameEncoder:
    """The text side of a zero-shot model, in the precision of its network."""

    def __init__(self, card: ModelCard, network: nn.Module, device: Device) -> None:
        self._text_side = _TextSide(network)
        self._device = device
        self._tokenizer = open_clip.SimpleTokenizer(context_length=_context_length(card))

    @torch.inference_mode()
    def embed(self, name: str) -> torch.Tensor:
        """Return the unit-length embedding of a name, shape (D,), averaged over all templates."""
        tokens = self._tokenizer([template(name) for template in TEMPLATES]).to(self._device.name)
        features = torch.cat([self._text_side.encode(part) for part in tokens.split(_TEXTS_AT_ONCE)])
        mean = nn.functional.normalize(features.float(), dim=1).mean(dim=0)
        return nn.functional.normalize(mean, dim=0)


class _TextSide(nn.Module):
    """An open_clip network as a module whose call encodes tokens, shape (texts, context)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: torch.Tensor) -> Any:
        return self.network.encode_text(tokens)

    def encode(self, tokens: torch.Tensor) -> Any:
        """Encode without the padding behind the longest text: a third of the work, the same result.

        A causal text network reads the embedding off at the end-of-text token (the highest number),
        which sees nothing that stands behind it.
        """
        network = self.network
        if network.text_pool_type != "argmax" or network.attn_mask is None:
            return self(tokens)
        length = int(tokens.argmax(dim=1).max()) + 1
        short = {
            "network.positional_embedding": network.positional_embedding[:length],
            "network.attn_mask": network.attn_mask[:length, :length],
        }
        return torch.func.functional_call(self, short, (tokens[:, :length],))


class NameEmbeddings:
    """A bounded cache of text embeddings; the name that was not asked for longest goes first."""

    def __init__(self, embed: Callable[[str], torch.Tensor], *, capacity: int) -> None:
        self._embed = embed
        self._capacity = capacity
        self._cached: OrderedDict[str, torch.Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._cached)

    def get(self, name: str) -> torch.Tensor:
        """Return the embedding of a name, shape (D,), computed only when it is not cached."""
        if name not in self._cached:
            self._cached[name] = self._embed(name)
        self._cached.move_to_end(name)
        if len(self._cached) > self._capacity:
            self._cached.popitem(last=False)
        return self._cached[name]


def stored_texts(card: ModelCard, folder: Path) -> torch.Tensor | None:
    """Return the stored embeddings of the card's labels, shape (labels, D), or None.

    None if there are none, or they are damaged or made for other weights or prompts: they only
    save time, so the model then computes them itself.
    """
    try:
        with safe_open(folder / EMBEDDINGS_FILE, framework="pt") as file:
            texts = file.get_tensor(EMBEDDINGS_TENSOR) if file.metadata() == texts_identity(card) else None
    except (OSError, SafetensorError):
        return None
    shape = (len(card.taxa), card.architecture.config.get("embed_dim"))
    if texts is None or texts.shape != shape or texts.dtype != torch.float32:
        return None
    return texts if torch.allclose(texts.norm(dim=1), torch.ones(len(texts)), atol=1e-3) else None


def texts_identity(card: ModelCard) -> dict[str, str]:
    """Return what the embeddings of the card's labels depend on: the weights and the prompts."""
    prompts = "\n".join(template(name) for name in prompt_names(card) for template in TEMPLATES)
    return {"weights_sha256": card.weights.sha256, "prompts_sha256": hashlib.sha256(prompts.encode()).hexdigest()}


def prompt_names(card: ModelCard) -> list[str]:
    """Return the card's labels as the prompts have them, in the order of the outputs."""
    return [name_of(taxon, card.prompts.text_type) for taxon in card.taxa]


def name_of(taxon: Taxon, text_type: TextType) -> str:
    """Write a taxon as BioCLIP was taught to read it; what is not known is left out."""
    scientific = taxon.scientific_name or taxon.label
    taxonomic = " ".join(taxon.lineage) if taxon.scientific_name else taxon.label
    base = {
        TextType.COMMON: taxon.label,
        TextType.SCIENTIFIC: scientific,
        TextType.SCIENTIFIC_COMMON: scientific,
        TextType.TAXON: taxonomic,
        TextType.TAXON_COMMON: taxonomic,
    }[text_type]
    with_common = text_type in (TextType.SCIENTIFIC_COMMON, TextType.TAXON_COMMON)
    return f"{base} with common name {taxon.label}" if with_common and base != taxon.label else base


def _context_length(card: ModelCard) -> int:
    return int(card.architecture.config.get("text_cfg", {}).get("context_length", 77))
