"""A card gets its threshold and its certificate: from which pictures, for which weights, written where.

Owns the steps around ``training.certification``, which chooses: that plan and calibration pictures are
apart, that the predictions are of the very pack, the fingerprint of the pictures, and the card.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fishgate.model_card import (
    CARD_FILE,
    Certificate,
    Gate,
    Kind,
    ModelCard,
    checked_weights,
    fingerprint_of,
    sha256_of,
    write_card,
)
from training.certification import METHOD, Chosen, certify, least_accepted, thresholds_to_try
from training.expert_figures import certainty_of
from training.photos import Photo
from training.predictions import Predictions, expert_passes

RECOMPUTED = 8
"""So many calibration pictures are identified again, to see that the predictions are those of the pack."""

MOST_DIFFERENCE = 0.05
"""How far a logit may lie from the one kept, which another processor may have computed."""

_TOLD_PLACES = 6  # of a certainty in an answer, which is what the gate compares


@dataclass(frozen=True)
class Promise:
    """How much of what is accepted may be wrong, and with which confidence that is to hold."""

    risk: float
    confidence: float


def certified(
    card: ModelCard, promise: Promise, *, plan: Predictions, calibration: Predictions, pack: Path, photos: Path
) -> tuple[ModelCard, Chosen]:
    """Return the card with threshold, evidence and certificate, and what was chosen; nothing is written.

    ``plan`` are other photographs than ``calibration``: from them come the thresholds to try. ``photos`` is the
    folder that paths start from. Of a group of like photographs only the first takes part, since the tests
    want independent ones. Where nothing can be certified the card gets the threshold 1 and no certificate.
    """
    check_predictions(card, calibration, pack=pack, photos=photos)
    calibration = first_of_each_group(calibration)
    limits = {"risk": promise.risk, "confidence": promise.confidence}
    thresholds = thresholds_to_try(told_certainty(card, plan, pack), pictures=len(calibration), **limits)
    chosen = certify(told_certainty(card, calibration, pack), calibration.is_right, thresholds=thresholds, **limits)
    gate = Gate(threshold=chosen.threshold, evidence=evidence_of_threshold(chosen), rule=card.gate.rule)
    card = card.model_copy(update={"gate": gate})
    if not chosen.is_certified:
        return card, chosen
    certificate = _certificate(chosen, data=data_fingerprint(calibration, card, photos), model=fingerprint_of(card))
    return card.model_copy(update={"gate": gate.model_copy(update={"certificate": certificate})}), chosen


def told_certainty(card: ModelCard, part: Predictions, pack: Path) -> NDArray[np.float64]:
    """Return the certainties as an answer tells them and the gate compares them: (N,)."""
    return np.round(certainty_of(card, part, pack), _TOLD_PLACES)


def check_predictions(card: ModelCard, part: Predictions, *, pack: Path, photos: Path) -> None:
    """Raise ValueError unless these predictions are the pack's: by the hash of its weights, and by doing some again."""
    checked_weights(card, pack)
    if str(part.weights_sha256) != card.weights.sha256:
        raise ValueError(
            f"the predictions are of weights {part.weights_sha256}, the pack holds {card.weights.sha256}; "
            "predict again with training/run --resume"
        )
    few = part.where(np.arange(len(part)) < RECOMPUTED)
    again, _ = expert_passes(pack, [_photo(few, place) for place in range(len(few))], photos)
    difference = float(np.abs(again - few.logits).max(initial=0.0))
    if difference > MOST_DIFFERENCE:
        raise ValueError(
            f"the pack gives other logits than the predictions (by {difference:.3g}, allowed {MOST_DIFFERENCE}): "
            "its preprocessing was changed, or the photographs were; predict again with training/run --resume"
        )


def first_of_each_group(part: Predictions) -> Predictions:
    """Return one photograph of each group, the first by path: (M,)."""
    order = np.argsort(part.path, kind="stable")
    _, first = np.unique(part.group[order], return_index=True)
    is_first = np.zeros(len(part), dtype=bool)
    is_first[order[first]] = True
    return part.where(is_first)


def data_fingerprint(part: Predictions, card: ModelCard, photos: Path) -> str:
    """Return the SHA-256 over the sorted lines ``path, SHA-256 of the file, label`` of the photographs, in hex."""
    names = [taxon.label for taxon in card.taxa]
    lines = sorted(
        f"{path} {sha256_of(photos / path)} {names[label] if label >= 0 else ''}\n"
        for path, label in zip(part.path.tolist(), part.label.tolist(), strict=True)
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def evidence_of_threshold(chosen: Chosen) -> str:
    """Return what the card says of how its threshold came about."""
    if not chosen.is_certified:
        return f"Nothing could be certified, so every picture is deferred. {what_is_missing(chosen)}"
    return (
        f"Certified on {chosen.pictures} pictures of groups that were not trained on: the lowest threshold tested at "
        f"which at most {chosen.risk:.1%} of the accepted answers are wrong with {chosen.confidence:.0%} confidence. "
        f"From it on {chosen.accepted} answers are accepted ({chosen.coverage:.1%}), {chosen.wrong} of them wrong. "
        "On pictures of another kind nothing is promised; see metrics."
    )


def what_is_missing(chosen: Chosen) -> str:
    """Return in words why nothing was certified, and how many pictures would do."""
    limits = {"risk": chosen.risk, "confidence": chosen.confidence}
    least = least_accepted(**limits)
    if not chosen.first_accepted:
        return (
            f"To show at most {chosen.risk:.1%} wrong with {chosen.confidence:.0%} confidence takes {least} accepted "
            f"answers without a mistake; there are {chosen.pictures} pictures to calibrate with, and twice {least} "
            "are the least to try with."
        )
    seen = f"At the strictest threshold {chosen.first_wrong} of {chosen.first_accepted} accepted answers are wrong"
    rate = chosen.first_wrong / chosen.first_accepted
    if rate >= chosen.risk:
        return f"{seen}, which is not below {chosen.risk:.1%}: no number of pictures would do; the model must err less."
    needed = least_accepted(**limits, wrong_fraction=rate)
    return f"{seen}: at that rate some {needed} accepted answers would be needed."


def write_to_packs(card: ModelCard, *packs: Path) -> list[Path]:
    """Write the card into each pack that holds the same weights; return those."""
    written = [pack for pack in packs if _holds(card, pack)]
    for pack in written:
        write_card(card, pack)
    return written


def _holds(card: ModelCard, pack: Path) -> bool:
    if not (pack / CARD_FILE).exists():
        return False
    there = ModelCard.model_validate_json((pack / CARD_FILE).read_bytes())
    return there.kind is Kind.EXPERT and there.weights == card.weights


def _photo(part: Predictions, place: int) -> Photo:
    path, source, domain, group = (str(column[place]) for column in (part.path, part.source, part.domain, part.group))
    return Photo(path=path, source=source, domain=domain, subject="", group=group)


def _certificate(chosen: Chosen, *, data: str, model: str) -> Certificate:
    return Certificate(
        risk=chosen.risk,
        confidence=chosen.confidence,
        method=METHOD,
        pictures=chosen.pictures,
        accepted=chosen.accepted,
        wrong=chosen.wrong,
        coverage=round(chosen.coverage, 4),
        data_sha256=data,
        model_sha256=model,
    )
