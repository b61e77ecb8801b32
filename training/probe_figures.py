"""What a linear probe is worth beside the same model without training: figures by source.

Owns which figures there are; how each is counted is said by ``training.class_scores`` and
``training.source_figures``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.class_scores import class_scores, confusion_matrix, is_among_best
from training.predictions import FOREIGN, Predictions
from training.source_figures import fraction_of
from training.splits import Split

Figures = dict[str, Any]

MEASURED = (
    "in single precision on photographs whose near-duplicate groups were not trained on; fractions of 1, each with "
    "its 95 % interval (Wilson); the zero-shot baseline learnt nothing from these photographs here, but the model "
    "itself may have"
)
_PLACES = 4


def probe_figures(answers: Mapping[str, Predictions], *, classes: int) -> Figures:
    """Return the figures of each way to answer, by its name: test photographs, their sources, foreign sources."""
    return {"measured": MEASURED, "methods": {name: _of(part, classes) for name, part in answers.items()}}


def _of(predictions: Predictions, classes: int) -> Figures:
    test, foreign = predictions.of(Split.TEST.value), predictions.of(FOREIGN)
    return {
        "all_kept_back": _figures(test, classes) if len(test) else {},
        "kept_back": _by_source(test, classes),
        "never_trained_sources": _by_source(foreign, classes),
    }


def _by_source(part: Predictions, classes: int) -> Figures:
    return {str(name): _figures(part.where(part.source == name), classes) for name in np.unique(part.source)}


def _figures(part: Predictions, classes: int) -> Figures:
    right = fraction_of(part.is_right)
    scores = class_scores(confusion_matrix(part.label, part.logits.argmax(axis=1), classes=classes))
    return {
        "photographs": len(part),
        "accuracy": round(right.value, _PLACES),
        "accuracy_interval": [round(right.low, _PLACES), round(right.high, _PLACES)],
        "accuracy_top_5": round(float(is_among_best(part.logits, part.label, 5).mean()), _PLACES),
        "macro_f1": round(scores.macro(scores.f1), _PLACES),
    }
