"""Opinions as the models would give them, for the tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fishgate.answer import Opinion, opinion_from
from fishgate.taxonomy import Rank, Taxon
from tests.toys import card


def species(label: str, scientific_name: str, family: str, order: str) -> Taxon:
    """A species with all its ranks."""
    return Taxon(label=label, scientific_name=scientific_name, rank=Rank.SPECIES, family=family, order=order)


TILAPIA = species("Tilapia", "Oreochromis niloticus", "Cichlidae", "Cichliformes")
PIKE = species("Pike", "Esox lucius", "Esocidae", "Esociformes")
ZANDER = Taxon(label="Zander")


def opinion(
    kind: str, shares: Mapping[Taxon, float], *, threshold: float = 0.5, version: str = "1", top_k: int = 5
) -> Opinion:
    """What a model says that spreads its probability so over its labels."""
    model = card(kind, version=version, gate={"threshold": threshold, "evidence": ""})
    return opinion_from(np.array([*shares.values()], dtype=np.float32), [*shares], model, top_k=top_k)


def spread(probability: float, name: str) -> dict[Taxon, float]:
    """Share this probability out over ten labels of unknown taxon, so thinly that none of them matters."""
    return {Taxon(label=f"{name} {i}"): probability / 10 for i in range(10)}


def expert_opinion(confidence: float = 0.93, *, threshold: float = 0.87) -> Opinion:
    """The expert: Tilapia, with this confidence (at least 0.1, or the rest is more probable)."""
    shares = {TILAPIA: confidence, **spread(1 - confidence, "other catch")}
    return opinion("expert", shares, threshold=threshold, version="demo-1", top_k=1)


def zero_shot_opinion(confidence: float = 0.6, *, threshold: float = 0.4) -> Opinion:
    """Zero-shot: a pike, which the expert does not know, or perhaps a zander."""
    shares = {PIKE: confidence, ZANDER: (1 - confidence) / 4, **spread((1 - confidence) * 0.75, "other name")}
    return opinion("zero_shot", shares, threshold=threshold, version="zero-1", top_k=2)
