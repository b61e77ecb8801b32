"""Which score the gate should read: all candidates, each measured on pictures that it was not fitted on.

Owns the comparison and the choice. The fits are ``training.gate_rules``', the threshold
``training.certification``'s. Plain arrays; no model and no pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fishgate import gate_score
from fishgate.gate_score import Geometry, Values
from fishgate.model_card import GateRule, GateScore, Measure
from training.calibration import temperature_of
from training.evaluation import expected_calibration_error
from training.gate_evidence import Evidence, joined
from training.gate_figures import ScoreFigures, score_figures
from training.gate_geometry import fit_geometry, named, save_geometry
from training.gate_rules import fit_rule, fold_of_group, weights_of

FOLDS = 5
"""Each picture's certainty comes from a rule that the other four fifths of the groups were fitted to."""

CRITERION = "aurc_with_outliers"
"""The score with the least of it is chosen: the mean fraction of wrong answers over all coverages, where to
accept an outlier is as wrong as to take one class for another. It asks no threshold and no share of outliers
to be deferred, and weighs both duties of the gate."""

_PLACES = 4


@dataclass(frozen=True)
class Study:
    """The temperature, the calibration error before and after it, the figures of each score, and what follows.

    ``scores`` hold figures on pictures that the rule was not fitted on, group by group; ``kept_back`` the
    same figures of the final rules on pictures that took no part in the choice (empty if none were given).
    """

    temperature: float
    calibration_error: dict[str, float]
    scores: dict[GateScore, ScoreFigures]
    kept_back: dict[GateScore, ScoreFigures]
    chosen: GateScore
    rule: GateRule
    geometry: Geometry

    def as_json(self) -> dict[str, Any]:
        """Return what gate.json holds."""
        return {
            "temperature": self.temperature,
            "calibration_error": self.calibration_error,
            "criterion": f"least {CRITERION}, on groups that the rule was not fitted on",
            "scores": {score.value: figures for score, figures in self.scores.items()},
            "kept_back": {score.value: figures for score, figures in self.kept_back.items()},
            "chosen": self.chosen.value,
            "rule": self.rule.model_dump(mode="json", exclude_none=True),
        }

    def save(self, pack: Path) -> None:
        """Write into a pack's folder what its rule needs beside the weights, if it needs anything."""
        if gate_score.needs_features(self.rule):
            save_geometry(self.geometry, pack)

    def certainty(self, evidence: Evidence) -> Values:
        """Return how certain the chosen rule is of each picture's first name: (N,), 0 to 1."""
        return gate_score.certainty(self.rule, _measured(evidence, self.temperature, self.geometry))


def study(
    *,
    training: Evidence,
    validation: Evidence,
    outliers: Evidence,
    held_out: Evidence | None = None,
    risk: float,
    seed: int,
) -> Study:
    """Compare the scores and fit the best.

    The distance in feature space is measured from ``training``, the temperature is fitted to ``validation``,
    the rules to both ``validation`` and ``outliers``. ``outliers`` may be empty: then the scores are judged by
    the mistakes among ``validation`` alone. ``held_out`` is only measured. ``risk`` is the fraction of wrong
    answers at which coverages are compared. Raises ValueError if there is nothing to learn from.
    """
    temperature = temperature_of(validation.logits, validation.labels)
    geometry = fit_geometry(training.features, training.labels, seed=seed)
    fitting = joined(validation, outliers)
    fit = _fitter(fitting, temperature, geometry)
    rules = {score: fit(score, np.ones(len(fitting), dtype=bool)) for score in GateScore}
    unseen = _cross_fitted(fitting, fit, temperature, geometry, seed=seed)
    scores = {score: score_figures(unseen[score], fitting, risk=risk) for score in GateScore}
    chosen = min(GateScore, key=lambda score: scores[score][CRITERION])
    return Study(
        temperature=temperature,
        calibration_error=_calibration_errors(held_out or validation, temperature),
        scores=scores,
        kept_back=_kept_back(rules, held_out, temperature, geometry, risk=risk),
        chosen=chosen,
        rule=rules[chosen],
        geometry=geometry,
    )


Fit = Callable[[GateScore, NDArray[np.bool_]], GateRule]
"""Fits the rule of a score to the pictures that are chosen (N,)."""


def _measured(evidence: Evidence, temperature: float, geometry: Geometry) -> dict[Measure, Values]:
    return gate_score.measures(evidence.logits, temperature=temperature, features=evidence.features, geometry=geometry)


def _fitter(fitting: Evidence, temperature: float, geometry: Geometry) -> Fit:
    measured, weights = _measured(fitting, temperature, geometry), weights_of(fitting)
    reference = named(geometry)

    def fit(score: GateScore, part: NDArray[np.bool_]) -> GateRule:
        seen = {measure: values[part] for measure, values in measured.items()}
        return fit_rule(score, seen, fitting.is_right[part], weights=weights[part], geometry=reference)

    return fit


def _cross_fitted(
    fitting: Evidence, fit: Fit, temperature: float, geometry: Geometry, *, seed: int
) -> Mapping[GateScore, Values]:
    """Return each score's certainty of each picture (N,) by a rule that its group had no part in."""
    measured, fold = _measured(fitting, temperature, geometry), fold_of_group(fitting, folds=FOLDS, seed=seed)
    unseen = {score: np.zeros(len(fitting)) for score in GateScore}
    for score in GateScore:
        for number in range(FOLDS):
            away = fold == number
            rule = fit(score, ~away)
            unseen[score][away] = gate_score.certainty(rule, measured)[away]
    return unseen


def _kept_back(
    rules: Mapping[GateScore, GateRule],
    held_out: Evidence | None,
    temperature: float,
    geometry: Geometry,
    *,
    risk: float,
) -> dict[GateScore, ScoreFigures]:
    if held_out is None:
        return {}
    measured = _measured(held_out, temperature, geometry)
    return {
        score: score_figures(gate_score.certainty(rule, measured), held_out, risk=risk) for score, rule in rules.items()
    }


def _calibration_errors(evidence: Evidence, temperature: float) -> dict[str, float]:
    known = evidence.where(evidence.has_label)
    return {"before": _calibration_error(known, 1.0), "after": _calibration_error(known, temperature)}


def _calibration_error(known: Evidence, temperature: float) -> float:
    scaled = known.logits.astype(np.float64) / temperature
    confidence = np.exp(scaled.max(axis=1) - np.logaddexp.reduce(scaled, axis=1))
    return round(expected_calibration_error(confidence, known.is_right), _PLACES)
