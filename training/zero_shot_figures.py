"""What a finished zero-shot model is worth: its floor, and the figures of its card.

Owns which photographs each is read off; it runs no model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fishgate.model_card import Gate
from training.calibration import Choice, at_temperature, calibrate
from training.class_scores import is_among_best
from training.photos import EXPERT, NON_FISH, OTHER_SPECIES
from training.predictions import FOREIGN, Predictions
from training.source_figures import Fraction, fraction_of
from training.splits import Split

Figures = dict[str, Any]
Flags = NDArray[np.bool_]
Probabilities = NDArray[np.float32]

MEASURED = (
    "from the half-precision weights, over all labels; fractions of 1, with the 95 % interval (Wilson) where one is "
    "given; accepted means at or above the floor, below which the answer rolls up to a higher rank; of sources for "
    "testing only, photographs of other species were trained on, but none of expert classes"
)
CHOSEN_ON = "validation and calibration photographs that the gate of the expert defers"
_PLACES = 4


def choose_floor(predictions: Predictions, is_deferred: Flags, *, max_wrong: float) -> tuple[float, Choice]:
    """Return temperature and floor by the deferred photographs of validation and calibration.

    Raises ValueError if there are none.
    """
    splits = [Split.VALIDATION.value, Split.CALIBRATION.value]
    part = predictions.where(np.isin(predictions.split, splits) & is_deferred)
    if not len(part):
        raise ValueError(
            "the expert defers no photograph of validation and calibration, so there is none to choose zero-shot's "
            "temperature and floor on; is the expert's threshold chosen?"
        )
    return calibrate(_probabilities(part), part.label, max_wrong_fraction=max_wrong)


def zero_shot_figures(predictions: Predictions, is_deferred: Flags, *, temperature: float, floor: float) -> Figures:
    """Return the figures for model card and run folder."""
    is_test, is_foreign = predictions.split == Split.TEST.value, predictions.split == FOREIGN
    is_domain = {domain: predictions.domain == domain for domain in (EXPERT, OTHER_SPECIES, NON_FISH)}

    def figures(chosen: Flags) -> Figures:
        return _figures(predictions.where(chosen), temperature, floor)

    def by_source(chosen: Flags) -> Figures:
        sources = np.unique(predictions.source[chosen])
        return {str(source): figures(chosen & (predictions.source == source)) for source in sources}

    return {
        "measured": MEASURED,
        "kept_back": {domain: figures(is_test & is_domain[domain]) for domain in (EXPERT, OTHER_SPECIES)},
        "kept_back_by_source": by_source(is_test),
        "kept_back_and_deferred": figures(is_test & is_deferred),
        "untrained_photographs_of_expert_classes": by_source(is_foreign & is_domain[EXPERT]),
        "no_label_fits": {
            NON_FISH: _below_floor(predictions.where(is_foreign & is_domain[NON_FISH]), temperature, floor)
        },
    }


def confirmed(gate: Gate, figures: Figures) -> Gate:
    """Return the gate with what it did on deferred test photographs, on which it was not chosen, in its evidence."""
    if not figures["photographs"]:
        return gate
    added = (
        f"On {figures['photographs']} test photographs that it defers it accepts {figures['accepted']:.1%}, and "
        f"{figures['wrong_among_accepted']:.1%} of those are wrong. Photographs of another origin are wrong more "
        "often; see metrics."
    )
    return gate.model_copy(update={"evidence": f"{gate.evidence} {added}"})


def _figures(part: Predictions, temperature: float, floor: float) -> Figures:
    if not len(part):
        return {"photographs": 0}
    is_accepted = at_temperature(_probabilities(part), temperature).max(axis=1) >= floor
    first, five = fraction_of(part.is_right), fraction_of(is_among_best(part.logits, part.label, 5))
    return {
        "photographs": len(part),
        "accuracy": _value(first),
        "accuracy_interval": _interval(first),
        "accuracy_top_5": _value(five),
        "accuracy_top_5_interval": _interval(five),
        "accepted": _value(fraction_of(is_accepted)),
        "wrong_among_accepted": _value(fraction_of(~part.is_right[is_accepted])),
    }


def _below_floor(part: Predictions, temperature: float, floor: float) -> Figures:
    if not len(part):
        return {"photographs": 0}
    below = at_temperature(_probabilities(part), temperature).max(axis=1) < floor
    return {"photographs": len(part), "below_floor": _value(fraction_of(below))}


def _probabilities(part: Predictions) -> Probabilities:
    powers = np.exp(part.logits - part.logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def _value(fraction: Fraction) -> float:
    return round(fraction.value, _PLACES)


def _interval(fraction: Fraction) -> list[float]:
    return [round(fraction.low, _PLACES), round(fraction.high, _PLACES)]
