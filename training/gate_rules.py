"""The rules that a gate may use, fitted: what each measure of a picture is worth.

Owns the fits. The measures and the rule's arithmetic are ``fishgate.gate_score``'s, the very code that
serves; which rule is the best, ``training.gate_study`` decides.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fishgate.gate_score import Values
from fishgate.model_card import GateRule, GateScore, Measure, Weights
from training.gate_evidence import Evidence

MEASURES: Mapping[GateScore, tuple[Measure, ...]] = {
    GateScore.MAX_SOFTMAX: (Measure.LOG_ODDS,),
    GateScore.MARGIN: (Measure.MARGIN,),
    GateScore.ENERGY: (Measure.ENERGY,),
    GateScore.FEATURE_DISTANCE: (Measure.FEATURE_DISTANCE,),
    GateScore.LEARNED: tuple(Measure),
}
"""What each score reads."""

OUTLIERS_SHARE = 0.25
"""What all outliers together weigh in a fit, against all pictures with a label as 1. How often a user shows the
expert a fish it does not know, nobody can tell; a fourth keeps the certainty honest for pictures of its classes,
and from a tenth to double the figures hardly change."""

_LEAST_SPREAD = 1e-9  # a measure that never varies says nothing, and must not be divided by
_PLACES = 6  # of a stored weight; the certainty itself is told to six


def fit_rule(
    score: GateScore,
    measured: Mapping[Measure, Values],
    is_right: NDArray[np.bool_],
    *,
    weights: Values,
    geometry: Weights | None,
) -> GateRule:
    """Fit the chance that an answer is right to what the score reads, by logistic regression.

    With one measure that is Platt scaling (Platt, 1999), which brings each score to one footing, 0 to 1;
    with several it is a small learned deferral rule. ``weights`` say how much each picture counts. The
    standardisation is folded into the rule. Raises ValueError unless right and wrong answers are among them.
    """
    from sklearn.linear_model import LogisticRegression

    if is_right.all() or not is_right.any():
        raise ValueError(
            f"a rule is learnt from right and wrong answers; seen {is_right.sum()} right of {len(is_right)}"
        )
    read = MEASURES[score]
    columns = np.stack([measured[measure] for measure in read], axis=1)
    centre, spread = columns.mean(axis=0), np.maximum(columns.std(axis=0), _LEAST_SPREAD)
    fitted = LogisticRegression(max_iter=1000).fit((columns - centre) / spread, is_right, sample_weight=weights)
    slopes = fitted.coef_[0] / spread
    return GateRule(
        score=score,
        intercept=round(float(fitted.intercept_[0] - (slopes * centre).sum()), _PLACES),
        weights={measure: round(float(slope), _PLACES) for measure, slope in zip(read, slopes, strict=True)},
        features=geometry if Measure.FEATURE_DISTANCE in read else None,
    )


def weights_of(evidence: Evidence) -> Values:
    """Return how much each picture counts in a fit: (N,), 1 with a label, all outliers together ``OUTLIERS_SHARE``."""
    known = evidence.has_label
    each = OUTLIERS_SHARE * known.sum() / max(int((~known).sum()), 1)
    return np.where(known, 1.0, each)


def fold_of_group(evidence: Evidence, *, folds: int, seed: int) -> NDArray[np.int64]:
    """Return each picture's fold, 0 … folds - 1: (N,). A group is never divided; kinds are spread evenly."""
    groups, first, place = np.unique(evidence.groups, return_index=True, return_inverse=True)
    kinds = np.where(evidence.has_label, np.where(evidence.is_right, "right", "wrong"), evidence.domains)[first]
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    # One kind after the other, each in an order of chance: then in turn one to each fold.
    in_order = shuffled[np.argsort(kinds[shuffled], kind="stable")]
    fold = np.empty(len(groups), dtype=np.int64)
    fold[in_order] = np.arange(len(groups)) % folds
    return np.asarray(fold[place])
