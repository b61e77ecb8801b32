"""What a finished expert is worth: the figures of its card, source by source.

Owns which figures there are; how each is counted is said by ``training.source_figures``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fishgate import gate_score
from fishgate.model_card import ModelCard
from training.class_scores import class_scores, confusion_matrix, is_among_best
from training.dataset import NO_LABEL
from training.evaluation import expected_calibration_error
from training.predictions import FOREIGN, Predictions
from training.source_figures import Fraction, source_figures
from training.splits import Split

Figures = dict[str, Any]

MEASURED = (
    "from the half-precision weights, by the code that serves; fractions of 1; sources whose photographs show "
    "classes of the expert but were never trained on tell how well it travels"
)
_PLACES = 4


def figures_of(card: ModelCard, predictions: Predictions, pack: Path) -> Figures:
    """Return the figures for model card and run folder: kept-back photographs and foreign ones, by source."""
    test, foreign = predictions.of(Split.TEST.value), predictions.of(FOREIGN)
    known = foreign.where(foreign.label != NO_LABEL)
    outliers = foreign.where(foreign.label == NO_LABEL)
    return {
        "measured": MEASURED,
        "all_kept_back": _known(card, test, pack) | _by_class(card, test) if len(test) else {},
        "kept_back": {source: _known(card, part, pack) for source, part in _parts(test, test.source)},
        "never_trained_sources": {source: _known(card, part, pack) for source, part in _parts(known, known.source)},
        "no_label_fits": {domain: _outlying(card, part, pack) for domain, part in _parts(outliers, outliers.domain)},
    }


def certainty_of(card: ModelCard, part: Predictions, pack: Path) -> NDArray[np.float64]:
    """Return how certain the expert is of each photograph, by the rule of its card: (N,), 0 to 1."""
    rule = card.gate.rule
    geometry = gate_score.read_geometry(pack / rule.features.file) if rule and rule.features else None
    measured = gate_score.measures(part.logits, temperature=card.temperature, features=part.features, geometry=geometry)
    return gate_score.certainty(rule, measured)


def _known(card: ModelCard, part: Predictions, pack: Path) -> Figures:
    found = source_figures(part.is_right, certainty_of(card, part, pack) >= card.gate.threshold)
    return {
        "photographs": len(part),
        "accuracy": _value(found.right),
        "accuracy_top_5": round(float(is_among_best(part.logits, part.label, 5).mean()), _PLACES),
        "accepted": _value(found.accepted),
        "wrong_among_accepted": _value(found.wrong_among_accepted),
        "accepted_and_wrong": _value(found.accepted_and_wrong),
    }


def _outlying(card: ModelCard, part: Predictions, pack: Path) -> Figures:
    found = source_figures(part.is_right, certainty_of(card, part, pack) >= card.gate.threshold)
    return {"photographs": len(part), "deferred": _value(found.deferred)}


def _by_class(card: ModelCard, test: Predictions) -> Figures:
    scores = class_scores(confusion_matrix(test.label, test.logits.argmax(axis=1), classes=len(card.taxa)))
    names = ("precision", "recall", "f1")
    figures = {f"macro_{name}": round(scores.macro(getattr(scores, name)), _PLACES) for name in names}
    errors = {"calibration_error_before": 1.0, "calibration_error": card.temperature}
    return figures | {name: _calibration_error(test, temperature) for name, temperature in errors.items()}


def _calibration_error(part: Predictions, temperature: float) -> float:
    scaled = part.logits.astype(np.float64) / temperature
    confidence = np.exp(scaled.max(axis=1) - np.logaddexp.reduce(scaled, axis=1))
    return round(expected_calibration_error(confidence, part.is_right), _PLACES)


def _parts(predictions: Predictions, names: NDArray[np.str_]) -> list[tuple[str, Predictions]]:
    return [(str(name), predictions.where(names == name)) for name in np.unique(names)]


def _value(fraction: Fraction) -> float:
    return round(fraction.value, _PLACES)
