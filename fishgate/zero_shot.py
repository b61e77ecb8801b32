"""Zero-shot: an open_clip model (BioCLIP-2) that names any species on a list.

Owns how such a model is built from its card, and the batch call: pictures against the text
embeddings of their candidates. Those come from ``fishgate.text_embeddings``, or from the file of a
species list (``fishgate.list_embeddings``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import open_clip
import torch
from torch import nn

from fishgate.answer import Probabilities
from fishgate.device import Device
from fishgate.errors import CardError
from fishgate.expert import load_weights
from fishgate.list_embeddings import Embeddings, read_embeddings
from fishgate.list_folder import ListFolder
from fishgate.model_card import Kind, Library, ModelCard, checked_weights, read_card
from fishgate.preprocessing import Pixels, normalise
from fishgate.species_list import SpeciesList
from fishgate.taxonomy import Taxon
from fishgate.text_embeddings import NameEmbeddings, NameEncoder, prompt_names, stored_texts

CACHED_NAMES = 5000
_ROWS_AT_ONCE = 512

Candidates = Sequence[str] | SpeciesList | None
"""What a picture may be: the client's own labels, a species list, or None for the labels of the card."""


class ZeroShot:
    """A loaded zero-shot model; make one with ``load_zero_shot``.

    ``card_texts`` are the known embeddings of the card's labels, shape (labels, D); without them they
    are computed. ``list_texts`` are those of the species lists by name, mapped into memory.
    """

    def __init__(
        self,
        card: ModelCard,
        network: nn.Module,
        device: Device,
        *,
        card_texts: torch.Tensor | None = None,
        list_texts: Mapping[str, Embeddings] | None = None,
    ) -> None:
        self.card = card
        self._device = device
        self._network: Any = network.eval().to(device.name)
        self._encoder = NameEncoder(card, network, device)
        self._embeddings = NameEmbeddings(self._embed_name, capacity=CACHED_NAMES)
        if card_texts is None:
            card_texts = torch.stack([self._embed_name(name) for name in prompt_names(card)])
        self._card_texts = card_texts.to(device.name)
        # On a CPU they stay where they are mapped, shared by all workers; a GPU gets a copy.
        self._list_texts = {name: torch.from_numpy(texts).to(device.name) for name, texts in (list_texts or {}).items()}

    def taxa_for(self, candidates: Candidates) -> Sequence[Taxon]:
        """Return the taxa of the candidates; a client's label comes with the card's taxon where known."""
        if candidates is None:
            return self.card.taxa
        if isinstance(candidates, SpeciesList):
            return candidates
        return tuple(self._taxon_called(label) for label in candidates)

    @torch.inference_mode()
    def predict(self, batch: Sequence[Pixels], candidates: Sequence[Candidates]) -> list[Probabilities]:
        """Return each picture's probabilities over its own candidates, in the order given.

        The pictures share one forward pass, whatever their candidates, and those with the same
        candidates one product with their text embeddings.
        """
        if len(batch) != len(candidates):
            raise ValueError(f"{len(batch)} pictures do not fit {len(candidates)} lists of candidates")
        if not batch:
            return []
        features = self._embed_pictures(batch)  # (B, D), unit length
        results: dict[int, Probabilities] = {}
        for indices in _sharing(candidates):
            shares = self._shares(features[indices], self._texts(candidates[indices[0]]))
            results.update(zip(indices, shares, strict=True))
        return [results[index] for index in range(len(batch))]

    def _embed_pictures(self, batch: Sequence[Pixels]) -> torch.Tensor:
        pictures = normalise(batch, self.card.preprocessing, device=self._device.name)
        with self._device.autocast():
            features = self._network.encode_image(pictures)
        return nn.functional.normalize(features.float(), dim=1)

    def _texts(self, candidates: Candidates) -> torch.Tensor:
        if candidates is None:
            return self._card_texts
        if isinstance(candidates, SpeciesList):
            return self._list_texts[candidates.name]
        return torch.stack([self._embeddings.get(label) for label in candidates])  # (labels, D)

    def _shares(self, features: torch.Tensor, texts: torch.Tensor) -> list[Probabilities]:
        scale = self._network.logit_scale.exp().float() / self.card.temperature
        logits = scale * _similarities(features, texts, rows=len(texts) if self._device.is_gpu else _ROWS_AT_ONCE)
        return list(torch.softmax(logits, dim=1).cpu().numpy())

    def _taxon_called(self, label: str) -> Taxon:
        known = next((taxon for taxon in self.card.taxa if taxon.is_called(label)), None)
        return known.model_copy(update={"label": label}) if known else Taxon(label=label)

    def _embed_name(self, name: str) -> torch.Tensor:
        with self._device.autocast():
            return self._encoder.embed(name)


def load_zero_shot(folder: Path, device: Device, lists: ListFolder | None = None) -> ZeroShot:
    """Load zero-shot from its card and weights, and the embeddings of the lists; raise LoadError rather
    than serve it wrongly."""
    card = read_card(folder, kind=Kind.ZERO_SHOT)
    list_texts = read_all_embeddings(lists, card) if lists else {}
    network = build_clip(card)
    load_weights(network, card, checked_weights(card, folder))
    return ZeroShot(card, network, device, card_texts=stored_texts(card, folder), list_texts=list_texts)


def read_all_embeddings(lists: ListFolder, card: ModelCard) -> dict[str, Embeddings]:
    """Map the embeddings of all lists of a folder into memory; raise ListError if some are not theirs."""
    if lists.path is None:
        return {}
    return {species.name: read_embeddings(lists.path, species, card) for species in lists}


def build_clip(card: ModelCard) -> nn.Module:
    """Build the open_clip network of the card's configuration, without weights."""
    architecture = card.architecture
    if architecture.library is not Library.OPEN_CLIP:
        raise CardError(f"zero-shot is built by open_clip, the card says {architecture.library.value!r}")
    try:
        return cast(nn.Module, open_clip.CLIP(**architecture.config))
    except (TypeError, RuntimeError, AssertionError, KeyError) as error:
        raise CardError(f"architecture.config of {card.name!r} is no open_clip model: {error}") from None


def _sharing(candidates: Sequence[Candidates]) -> list[list[int]]:
    """Return the pictures of each set of candidates, by their places in the batch."""
    groups: dict[object, list[int]] = {}
    for index, one in enumerate(candidates):
        key = one if one is None or isinstance(one, SpeciesList) else tuple(one)
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def _similarities(features: torch.Tensor, texts: torch.Tensor, *, rows: int) -> torch.Tensor:
    """Return the cosines, shape (B, n), of features (B, D) and texts (n, D) in any precision.

    In parts that stay in the processor's cache: a whole list as float32 would cost memory in every
    worker, and to convert it at once takes four times as long.
    """
    return torch.cat([features @ part.float().T for part in torch.split(texts, rows)], dim=1)
