"""Opinions as the models would give them, for the tests of what is made of them."""

from __future__ import annotations

from fishgate.answer import Candidate, Opinion, Source
from fishgate.taxonomy import Rank


def expert_opinion(confidence: float = 0.93, *, threshold: float = 0.87) -> Opinion:
    """The expert: Tilapia, with this confidence."""
    tilapia = Candidate(
        label="Tilapia", scientific_name="Oreochromis niloticus", rank=Rank.SPECIES, confidence=confidence
    )
    return Opinion(source=Source.EXPERT, model="demo-1", threshold=threshold, candidates=(tilapia,))


def zero_shot_opinion(confidence: float = 0.6, *, threshold: float = 0.4) -> Opinion:
    """Zero-shot: a pike, which the expert does not know."""
    pike = Candidate(label="Pike", scientific_name="Esox lucius", rank=Rank.SPECIES, confidence=confidence)
    zander = Candidate(label="Zander", scientific_name=None, rank=None, confidence=round(1 - confidence, 6))
    return Opinion(source=Source.ZERO_SHOT, model="zero-1", threshold=threshold, candidates=(pike, zander))
