"""From raw confidences to honest ones: the temperature, and the threshold of the gate.

Owns both choices as pure functions of plain arrays; it does not know models or photographs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fishgate.model_card import Gate

Probabilities = NDArray[np.float32]
"""Probabilities of many pictures, shape (pictures, labels)."""

TEMPERATURES: NDArray[np.float64] = np.geomspace(0.25, 4.0, 161)
"""The temperatures that are tried: steps of under 2 %, far finer than some hundred pictures can tell apart."""

_LEAST_PROBABILITY = 1e-12  # keeps the logarithm finite
_THRESHOLD_STEPS = 10_000  # in one: a threshold has four decimal places
_ABOVE_ALL = 1.0


@dataclass(frozen=True)
class Choice:
    """A threshold, and what it does on the pictures that it was chosen on."""

    threshold: float
    pictures: int
    accepted: int
    wrong: int
    max_wrong_fraction: float

    def as_gate(self, described: str) -> Gate:
        """Return the gate of a model card; ``described`` says what the pictures are."""
        evidence = (
            f"Chosen on {self.pictures} {described}, after the temperature: the lowest confidence from which at "
            f"most {self.max_wrong_fraction:.0%} of the accepted answers are wrong. From it on {self.accepted} "
            f"answers are accepted ({self.accepted / self.pictures:.1%}), {self.wrong} of them wrong."
        )
        return Gate(threshold=self.threshold, evidence=evidence)


def calibrate(
    probabilities: Probabilities, labels: NDArray[np.int64], *, max_wrong_fraction: float
) -> tuple[float, Choice]:
    """Return the temperature, and the threshold for confidences at that temperature."""
    temperature = fit_temperature(probabilities, labels)
    tempered = at_temperature(probabilities, temperature)
    is_right = tempered.argmax(axis=1) == labels
    return temperature, choose_threshold(tempered.max(axis=1), is_right, max_wrong_fraction=max_wrong_fraction)


def fit_temperature(probabilities: Probabilities, labels: NDArray[np.int64]) -> float:
    """Return the temperature that gives the right answers the highest mean log probability.

    ``probabilities`` are those at temperature 1.
    """
    losses = [_loss(probabilities, labels, temperature) for temperature in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def at_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Return what probabilities at temperature 1 become at another temperature."""
    logits = np.log(np.maximum(probabilities, _LEAST_PROBABILITY)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def choose_threshold(
    confidences: NDArray[np.float32], is_right: NDArray[np.bool_], *, max_wrong_fraction: float
) -> Choice:
    """Return the lowest threshold at which at most this fraction of the accepted answers is wrong.

    An answer is accepted if its confidence is at or above the threshold. Where no confidence will
    do, the threshold is 1.
    """
    for candidate in sorted({_rounded_up(float(value)) for value in confidences}):
        accepted = confidences >= candidate
        wrong = int((accepted & ~is_right).sum())
        if accepted.any() and wrong <= max_wrong_fraction * accepted.sum():
            return Choice(candidate, len(confidences), int(accepted.sum()), wrong, max_wrong_fraction)
    accepted = confidences >= _ABOVE_ALL
    wrong = int((accepted & ~is_right).sum())
    return Choice(_ABOVE_ALL, len(confidences), int(accepted.sum()), wrong, max_wrong_fraction)


def _loss(probabilities: Probabilities, labels: NDArray[np.int64], temperature: float) -> float:
    right = at_temperature(probabilities, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, _LEAST_PROBABILITY)).mean())


def _rounded_up(confidence: float) -> float:
    """Round up, so that the threshold reads well in the card and still excludes what it should."""
    # Answers carry six places; what lies beyond is the noise of float32, which must not lift 0.8 to 0.8001.
    return min(math.ceil(round(confidence * _THRESHOLD_STEPS, 2)) / _THRESHOLD_STEPS, _ABOVE_ALL)
