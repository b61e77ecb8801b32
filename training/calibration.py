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

TEMPERATURES = (0.05, 20.0)
"""The least and the greatest temperature; with all answers right, or hardly any, the best would be beyond."""

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
    return temperature_of(np.log(np.maximum(probabilities, _LEAST_PROBABILITY)), labels)


def temperature_of(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Return the temperature for logits (N, labels) at which the right answers have the least cross-entropy.

    Guo et al., "On calibration of modern neural networks", 2017. In 1/T the loss is convex, so a search
    along log T finds the one minimum within ``TEMPERATURES``. Raises ValueError if there are no pictures.
    """
    from scipy.optimize import minimize_scalar

    if not len(labels):
        raise ValueError("a temperature is fitted to pictures, and there are none; keep some back for validation")
    raw = logits.astype(np.float64)
    found = minimize_scalar(
        lambda log_temperature: _loss(raw / math.exp(log_temperature), labels),
        bounds=(math.log(TEMPERATURES[0]), math.log(TEMPERATURES[1])),
        method="bounded",
    )
    return round(math.exp(float(found.x)), 4)


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


def _loss(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    right = logits[np.arange(len(labels)), labels]
    return float((np.logaddexp.reduce(logits, axis=1) - right).mean())


def _rounded_up(confidence: float) -> float:
    """Round up, so that the threshold reads well in the card and still excludes what it should."""
    # Answers carry six places; what lies beyond is the noise of float32, which must not lift 0.8 to 0.8001.
    return min(math.ceil(round(confidence * _THRESHOLD_STEPS, 2)) / _THRESHOLD_STEPS, _ABOVE_ALL)
