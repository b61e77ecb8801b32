"""What a gate's score is worth on pictures with and without a right answer.

Owns the figures that scores are compared by, as pure functions of plain arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fishgate.gate_score import Values
from training.evaluation import aurc, auroc, risk_coverage
from training.gate_evidence import Evidence

ScoreFigures = dict[str, float]

_PLACES = 4
_ABOVE_ALL = np.inf


def score_figures(certainty: Values, evidence: Evidence, *, risk: float) -> ScoreFigures:
    """Return the figures of one score from its certainty of each picture (N,).

    ``auroc_wrong``: the chance that a right answer is more certain than a wrong one, both of pictures with a
    label; ``auroc_<domain>``: that a picture with a label is more certain than an outlier of that domain.
    ``aurc``: mean risk over all coverages of pictures with a label; ``aurc_with_outliers``: of all, an outlier
    being wrong. ``coverage``: the greatest share of the pictures with a label that can be accepted with at
    most ``risk`` wrong among them; ``deferred_<domain>``: the share of outliers deferred at that threshold.
    What cannot be had, since one of two kinds is missing, is left out.
    """
    known, is_right = evidence.has_label, evidence.is_right
    threshold, coverage = _least_threshold(certainty[known], is_right[known], risk=risk)
    figures = {
        "aurc": aurc(certainty[known], is_right[known]),
        "aurc_with_outliers": aurc(certainty, is_right),
        "coverage": coverage,
    }
    if is_right[known].any() and not is_right[known].all():
        figures["auroc_wrong"] = auroc(certainty[is_right], certainty[known & ~is_right])
    for domain in np.unique(evidence.domains[~known]):
        outlying = certainty[~known & (evidence.domains == domain)]
        figures[f"auroc_{domain}"] = auroc(certainty[known], outlying)
        figures[f"deferred_{domain}"] = float((outlying < threshold).mean())
    return {name: round(figure, _PLACES) for name, figure in figures.items()}


def _least_threshold(certainty: Values, is_right: NDArray[np.bool_], *, risk: float) -> tuple[float, float]:
    """Return the least threshold with at most this risk, and the coverage there; (∞, 0) if there is none."""
    order = np.argsort(-certainty, kind="stable")
    coverage, seen = risk_coverage(certainty, is_right)
    # A threshold accepts all of the same certainty: only the last of them is a place to stop.
    is_last = np.append(np.diff(certainty[order]) < 0, True)
    places = np.flatnonzero(is_last & (seen <= risk))
    if not len(places):
        return _ABOVE_ALL, 0.0
    return float(certainty[order][places[-1]]), float(coverage[places[-1]])
