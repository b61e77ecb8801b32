"""What Fishgate says of a picture: the records of an answer and of one model's opinion.

Owns their fields and their JSON. It does not decide anything; ``fishgate.cascade`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fishgate.model_card import ModelCard
from fishgate.record import Record
from fishgate.taxonomy import Rank, Taxon

Probabilities = NDArray[np.float32]
"""One picture's probabilities, shape (labels,), in the order of the labels, sum 1."""


class Source(str, Enum):
    """Which model an answer comes from."""

    EXPERT = "expert"
    ZERO_SHOT = "zero_shot"


class Candidate(Record):
    """One name that the picture may have, and how probable it is (0 to 1)."""

    label: str
    scientific_name: str | None
    rank: Rank | None
    confidence: float = Field(ge=0.0, le=1.0, allow_inf_nan=False)


class Opinion(Record):
    """What one model says of a picture: candidates, most probable first, never none.

    ``threshold`` is the confidence from which the model is believed, ``model`` its version.
    """

    source: Source
    model: str
    threshold: float
    candidates: tuple[Candidate, ...] = Field(min_length=1)

    @property
    def best(self) -> Candidate:
        """The most probable candidate."""
        return self.candidates[0]


class ExpertView(Record):
    """What the expert thought, told with every answer."""

    label: str
    confidence: float
    threshold: float


class ModelVersions(Record):
    """The versions of the models that were asked; None for one that was not."""

    expert: str | None
    zero_shot: str | None


class Answer(Record):
    """The answer to one picture.

    ``deferred``: the gate sent the picture on to zero-shot. ``degraded``: zero-shot was due but
    could not be had, so the expert's answer stands in. ``low_confidence``: do not trust it.
    """

    label: str | None
    scientific_name: str | None
    rank: Rank | None
    confidence: float
    source: Source
    deferred: bool
    low_confidence: bool
    degraded: bool
    candidates: tuple[Candidate, ...]
    expert: ExpertView
    models: ModelVersions


def opinion_from(probabilities: Probabilities, taxa: Sequence[Taxon], card: ModelCard, *, top_k: int) -> Opinion:
    """Turn one picture's probabilities over ``taxa`` into an opinion with ``top_k`` candidates."""
    if len(probabilities) != len(taxa):
        raise ValueError(f"{len(probabilities)} probabilities do not fit {len(taxa)} labels")
    # A stable sort, so that equal probabilities keep the order of the labels everywhere.
    best_first = np.argsort(-probabilities, kind="stable")[:top_k]
    return Opinion(
        source=Source(card.kind.value),
        model=card.version,
        threshold=card.gate.threshold,
        candidates=tuple(_candidate(taxa[i], float(probabilities[i])) for i in best_first),
    )


def _candidate(taxon: Taxon, probability: float) -> Candidate:
    # Six places are more than any model knows, and keep answers short and comparable.
    return Candidate(
        label=taxon.label,
        scientific_name=taxon.scientific_name,
        rank=taxon.rank,
        confidence=round(min(max(probability, 0.0), 1.0), 6),
    )
