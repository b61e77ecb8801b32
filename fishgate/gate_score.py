"""How certain the expert is of its first name: measures of one pass, and the rule that weighs them.

Owns the few lines of arithmetic, the same in training and in serving, on plain arrays. It does not
know networks or pictures, and chooses no threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from fishgate.errors import WeightsError
from fishgate.gate_card import GateRule, Measure

Values = NDArray[np.float64]
"""One number for each picture, shape (B,)."""

MOST_LOG_ODDS = 30.0
"""Beyond it a probability is 1 to thirteen places, and the logits say nothing more."""

WHITENING, POINTS = "whitening", "points"
"""The tensors of the file that ``GateRule.features`` names."""


@dataclass(frozen=True)
class Geometry:
    """Where the pictures trained on lie in feature space.

    ``whitening``, shape (D, R), takes a feature of length 1 to a space in which the classes are round;
    ``points``, shape (P, R), are pictures of all classes there, in any order.
    """

    whitening: NDArray[np.float32]
    points: NDArray[np.float32]


def measures(
    logits: NDArray[np.float32],
    *,
    temperature: float,
    features: NDArray[np.float32] | None = None,
    geometry: Geometry | None = None,
) -> dict[Measure, Values]:
    """Measure each picture by its logits (B, labels), and by its features (B, D) where both these and a
    geometry are given.

    At the card's ``temperature``: LOG_ODDS = log(p₁ / (1 - p₁)), kept within ±30; MARGIN = p₁ - p₂; ENTROPY
    = -Σ p log p, in nats. At temperature 1: ENERGY = log Σ exp(logit), which is high for what is familiar
    (the negative of the energy of Liu et al., 2020). FEATURE_DISTANCE: see ``feature_distance``.
    """
    raw = logits.astype(np.float64)
    scaled = -np.sort(-raw / temperature, axis=1)  # (B, labels), greatest first
    log_probabilities = scaled - np.logaddexp.reduce(scaled, axis=1)[:, None]
    probabilities = np.exp(log_probabilities)
    log_odds = scaled[:, 0] - np.logaddexp.reduce(scaled[:, 1:], axis=1)
    measured = {
        Measure.LOG_ODDS: np.clip(log_odds, -MOST_LOG_ODDS, MOST_LOG_ODDS),
        Measure.MARGIN: probabilities[:, 0] - probabilities[:, 1:2].sum(axis=1),
        Measure.ENERGY: np.logaddexp.reduce(raw, axis=1),
        Measure.ENTROPY: -(probabilities * log_probabilities).sum(axis=1),
    }
    if features is not None and geometry is not None:
        measured[Measure.FEATURE_DISTANCE] = feature_distance(features, geometry)
    return measured


def feature_distance(features: NDArray[np.float32], geometry: Geometry) -> Values:
    """Return how far each feature (B, D) lies from the nearest picture trained on, shape (B,).

    Features are brought to length 1 and compared with the nearest neighbour (Sun et al., "Out-of-distribution
    detection with deep nearest neighbors", 2022), after whitening, as the Mahalanobis distance does (Lee et al., 2018).
    """
    vectors = features.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.maximum(lengths, 1e-12) @ geometry.whitening  # (B, R)
    points = geometry.points.astype(np.float64)
    # |v - p|² = |v|² - 2 v·p + |p|², so that no array of (B, P, R) is made.
    squares = (vectors**2).sum(axis=1)[:, None] - 2.0 * vectors @ points.T + (points**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)).min(axis=1))


def certainty(rule: GateRule | None, measured: dict[Measure, Values]) -> Values:
    """Return each picture's certainty, 0 to 1, shape (B,): sigmoid(intercept + Σ weight · measure).

    Without a rule it is the greatest probability, which is the sigmoid of the log odds.
    """
    if rule is None:
        return _sigmoid(measured[Measure.LOG_ODDS])
    terms = [weight * measured[measure] for measure, weight in rule.weights.items()]
    return _sigmoid(rule.intercept + np.sum(terms, axis=0))


def needs_features(rule: GateRule | None) -> bool:
    """Tell whether the rule reads the distance in feature space."""
    return rule is not None and Measure.FEATURE_DISTANCE in rule.weights


def read_geometry(path: Path) -> Geometry:
    """Read a geometry from its safetensors file; raise WeightsError if the file is not one."""
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path.name!r} is no safetensors file, or is damaged: {error}") from None
    if set(tensors) != {WHITENING, POINTS}:
        raise WeightsError(f"{path.name!r} must hold exactly {WHITENING!r} and {POINTS!r}, it holds {sorted(tensors)}")
    return Geometry(whitening=tensors[WHITENING], points=tensors[POINTS])


def _sigmoid(values: Values) -> Values:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))  # overflows nowhere
