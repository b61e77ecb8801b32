"""What Fishgate says of a picture: the records of an answer and of one model's opinion.

Owns their fields and their JSON. It does not decide anything; ``fishgate.cascade`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fishgate.lineages import Lineages
from fishgate.model_card import ModelCard
from fishgate.record import Record
from fishgate.taxonomy import Rank, Taxon

Probabilities = NDArray[np.float32]
"""One picture's probabilities, shape (labels,), in the order of the labels, sum 1."""

NOTEWORTHY = 0.01
"""The least share of the probability with which an opinion tells a taxon: at most 100 taxa a rank, so that
an opinion stays small, and no more than 0.01 of any pooled sum is lost (docs/decisions/rollup.md)."""


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


class Promise(Record):
    """The certificate of the gate as an answer tells it: of the accepted answers at most ``risk`` are
    wrong, with probability ``confidence``; ``coverage`` of ``pictures`` were accepted in calibration."""

    risk: float
    confidence: float
    coverage: float
    pictures: int


class Opinion(Record):
    """What one model says of a picture: candidates, most probable first, never none.

    ``certainty`` is what the gate reads (0 to 1), ``threshold`` the certainty from which the model is
    believed, ``promise`` what is guaranteed at that threshold, ``model`` its version. ``masses``
    are the taxa of any rank to which the model gives a noteworthy share of the probability, summed
    over all its labels, not only over ``candidates``.
    """

    source: Source
    model: str
    certainty: float = Field(ge=0.0, le=1.0, allow_inf_nan=False)
    threshold: float
    promise: Promise | None = None
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    masses: tuple[Candidate, ...] = ()

    @property
    def best(self) -> Candidate:
        """The most probable candidate."""
        return self.candidates[0]


class ExpertView(Record):
    """What the expert thought, told with every answer.

    ``certificate`` is what is promised of answers accepted at ``threshold``; None where nothing is, as
    with a client's own threshold.
    """

    label: str
    confidence: float
    certainty: float
    threshold: float
    certificate: Promise | None


class ModelVersions(Record):
    """The versions of the models that were asked; None for one that was not."""

    expert: str | None
    zero_shot: str | None


class Answer(Record):
    """The answer to one picture.

    ``deferred``: the gate sent the picture on to zero-shot. ``degraded``: zero-shot was due but
    could not be had, so the expert's answer stands in. ``low_confidence``: do not trust it.
    ``rank`` is wider than a species where the models together are sure of no more: ``label`` is then
    the name of the genus, family or order, and ``confidence`` the weighted mean of what the models give it.
    Where they are not even sure of an order, ``label`` is null and ``confidence`` that of the first
    candidate. ``candidates`` are those of the model that ``source`` names.
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


def opinion_from(
    probabilities: Probabilities,
    taxa: Sequence[Taxon],
    card: ModelCard,
    *,
    top_k: int,
    certainty: float | None = None,
    lineages: Lineages | None = None,
) -> Opinion:
    """Turn one picture's probabilities over ``taxa`` into an opinion with ``top_k`` candidates.

    ``certainty`` is what the gate reads; None stands for the confidence of the first candidate.
    ``lineages`` are those of ``taxa``: give them with a long list that is not the card's own, or they
    are worked out for each picture.
    """
    if len(probabilities) != len(taxa):
        raise ValueError(f"{len(probabilities)} probabilities do not fit {len(taxa)} labels")
    candidates = tuple(_candidate(taxa[i], float(probabilities[i])) for i in _best_first(probabilities, top_k))
    return Opinion(
        source=Source(card.kind.value),
        model=card.version,
        certainty=candidates[0].confidence if certainty is None else _rounded(certainty),
        threshold=card.gate.threshold,
        promise=_promise(card),
        candidates=candidates,
        masses=_masses(probabilities, lineages or _lineages(taxa, card)),
    )


def _lineages(taxa: Sequence[Taxon], card: ModelCard) -> Lineages:
    return card.lineages if taxa is card.taxa else Lineages.of(taxa)


def _masses(probabilities: Probabilities, lineages: Lineages) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            label=mass.label,
            scientific_name=mass.scientific_name,
            rank=mass.rank,
            confidence=_rounded(mass.probability),
        )
        for mass in lineages.masses(probabilities, least=NOTEWORTHY)
    )


def _best_first(probabilities: Probabilities, top_k: int) -> list[int]:
    """Return the ``top_k`` most probable labels; equal ones keep the order of the labels everywhere."""
    least = np.partition(probabilities, -top_k)[-top_k] if top_k < len(probabilities) else -np.inf
    # Few: of a long list not all need be sorted. Not ">=", which would hide a NaN.
    among = np.flatnonzero(~(probabilities < least))
    return [int(index) for index in among[np.argsort(-probabilities[among], kind="stable")][:top_k]]


def _promise(card: ModelCard) -> Promise | None:
    certificate = card.gate.certificate
    if certificate is None:
        return None
    return Promise(
        risk=certificate.risk,
        confidence=certificate.confidence,
        coverage=certificate.coverage,
        pictures=certificate.pictures,
    )


def _candidate(taxon: Taxon, probability: float) -> Candidate:
    return Candidate(
        label=taxon.label,
        scientific_name=taxon.scientific_name,
        rank=taxon.rank,
        confidence=_rounded(probability),
    )


def _rounded(probability: float) -> float:
    # Six places are more than any model knows, and keep answers short and comparable.
    return round(min(max(probability, 0.0), 1.0), 6)
