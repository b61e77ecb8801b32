"""What the server says of a picture, as frozen records.

Fields that are not known here are passed over by the records and stay in ``Answer.reply``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fishgate_client.fields import needed, objects, part, wanted


@dataclass(frozen=True)
class Candidate:
    """One name that the picture may have, and how probable it is (0 to 1)."""

    label: str
    scientific_name: str | None
    rank: str | None
    confidence: float


@dataclass(frozen=True)
class Certificate:
    """What is promised of accepted answers: at most ``risk`` of them are wrong, with probability ``confidence``.

    In calibration ``coverage`` of ``pictures`` were accepted.
    """

    risk: float
    confidence: float
    coverage: float
    pictures: int


@dataclass(frozen=True)
class ExpertView:
    """What the expert thought: the server believes it where ``certainty`` reaches ``threshold``."""

    label: str
    confidence: float
    certainty: float
    threshold: float
    certificate: Certificate | None


@dataclass(frozen=True)
class ModelVersions:
    """The versions of the models that were asked; None for one that was not."""

    expert: str | None
    zero_shot: str | None


@dataclass(frozen=True)
class Answer:
    """The answer to one picture.

    ``rank`` is ``species``, ``genus``, ``family`` or ``order``: as narrow as the models are sure. ``label`` is None
    where they are sure of nothing; ``confidence`` is then that of the first candidate. ``source``: ``expert`` or
    ``zero_shot``. ``deferred``: the expert was not sure enough. ``degraded``: zero-shot was due but could not be had.
    ``low_confidence``: do not trust it. ``candidates``: most probable first. ``reply``: the JSON object as it came.
    """

    label: str | None
    scientific_name: str | None
    rank: str | None
    confidence: float
    source: str
    deferred: bool
    low_confidence: bool
    degraded: bool
    candidates: tuple[Candidate, ...]
    expert: ExpertView
    models: ModelVersions
    reply: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)


def answer_from(reply: Mapping[str, Any]) -> Answer:
    """Read an answer; raise BadReply if something that belongs to one is missing."""
    return Answer(
        label=wanted(reply, "label", str),
        scientific_name=wanted(reply, "scientific_name", str),
        rank=wanted(reply, "rank", str),
        confidence=needed(reply, "confidence", float),
        source=needed(reply, "source", str),
        deferred=needed(reply, "deferred", bool),
        low_confidence=needed(reply, "low_confidence", bool),
        degraded=needed(reply, "degraded", bool),
        candidates=tuple(_candidate(one) for one in objects(reply, "candidates")),
        expert=_expert(part(reply, "expert")),
        models=_versions(part(reply, "models")),
        reply=reply,
    )


def _candidate(fields: Mapping[str, Any]) -> Candidate:
    return Candidate(
        label=needed(fields, "label", str),
        scientific_name=wanted(fields, "scientific_name", str),
        rank=wanted(fields, "rank", str),
        confidence=needed(fields, "confidence", float),
    )


def _expert(fields: Mapping[str, Any]) -> ExpertView:
    certificate = wanted(fields, "certificate", dict)
    return ExpertView(
        label=needed(fields, "label", str),
        confidence=needed(fields, "confidence", float),
        certainty=needed(fields, "certainty", float),
        threshold=needed(fields, "threshold", float),
        certificate=None if certificate is None else certificate_from(certificate),
    )


def _versions(fields: Mapping[str, Any]) -> ModelVersions:
    return ModelVersions(wanted(fields, "expert", str), wanted(fields, "zero_shot", str))


def certificate_from(fields: Mapping[str, Any]) -> Certificate:
    """Read a certificate; raise BadReply if it is none."""
    return Certificate(
        risk=needed(fields, "risk", float),
        confidence=needed(fields, "confidence", float),
        coverage=needed(fields, "coverage", float),
        pictures=needed(fields, "pictures", int),
    )
