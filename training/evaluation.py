"""What a model is worth: how well its certainties order and state what is right, from plain arrays.

Owns the figures of the gate and of the report. It does not choose anything and draws nothing:
``training.calibration`` and ``training.gate_study`` choose, ``training.report`` draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.floating]
"""Floating-point numbers of any width."""

CALIBRATION_BINS = 15  # as in the paper on temperature scaling, so that errors of calibration can be compared


def auroc(positive_scores: Numbers, negative_scores: Numbers) -> float:
    """Return the chance that a positive scores above a negative, a tie counting half.

    Raises ValueError if either is empty.
    """
    from sklearn.metrics import roc_auc_score

    if not len(positive_scores) or not len(negative_scores):
        raise ValueError(
            f"an AUROC compares two kinds of pictures; seen {len(positive_scores)} positive and "
            f"{len(negative_scores)} negative scores, at least one of each is needed"
        )
    is_positive = np.repeat([True, False], [len(positive_scores), len(negative_scores)])
    return float(roc_auc_score(is_positive, np.concatenate([positive_scores, negative_scores])))


def risk_coverage(certainty: Numbers, is_right: Flags) -> tuple[Floats, Floats]:
    """Return the coverages 1/N … 1 and the fraction wrong among the most certain answers at each: both (N,).

    Geifman & El-Yaniv, "Selective classification for deep neural networks", 2017. Answers of the
    same certainty cannot be told apart by a threshold, so each counts as wrong by their mean.
    Raises ValueError if there are no answers.
    """
    if not len(certainty):
        raise ValueError("there are no answers, so no part of them can be covered; at least one is needed")
    _, place = np.unique(-np.asarray(certainty), return_inverse=True)  # most certain first
    wrong_among_equals = np.bincount(place, weights=~is_right) / np.bincount(place)
    accepted = np.arange(1, len(certainty) + 1)
    wrong = np.cumsum(wrong_among_equals[np.sort(place)])
    return accepted / len(certainty), wrong / accepted


def aurc(certainty: Numbers, is_right: Flags) -> float:
    """Return the area under the risk–coverage curve: the mean of the risk over all coverages; lower is better."""
    return float(risk_coverage(certainty, is_right)[1].mean())


@dataclass(frozen=True)
class ReliabilityBins:
    """Pictures by confidence, bin by bin: upper edges, counts, mean confidence and accuracy, each (bins,).

    An empty bin has a confidence and an accuracy of 0.
    """

    upper_edges: Floats
    pictures: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats


def reliability_bins(confidence: Numbers, is_right: Flags, bins: int = CALIBRATION_BINS) -> ReliabilityBins:
    """Sort pictures into bins of equal width; a bin has its upper edge in it, the first also 0."""
    upper_edges = np.arange(1, bins + 1) / bins
    place = np.minimum(np.searchsorted(upper_edges, np.asarray(confidence, dtype=np.float64)), bins - 1)
    pictures = np.bincount(place, minlength=bins)
    in_each = np.maximum(pictures, 1)
    return ReliabilityBins(
        upper_edges,
        pictures,
        np.bincount(place, weights=confidence, minlength=bins) / in_each,
        np.bincount(place, weights=is_right, minlength=bins) / in_each,
    )


def expected_calibration_error(confidence: Numbers, is_right: Flags, bins: int = CALIBRATION_BINS) -> float:
    """Return Σ (pictures of a bin / all) · |its accuracy - its mean confidence| over bins of equal width.

    Guo et al., "On calibration of modern neural networks", 2017. Raises ValueError if there are no pictures.
    """
    if not len(confidence):
        raise ValueError("there are no pictures, so there is no error of calibration; at least one is needed")
    parts = reliability_bins(confidence, is_right, bins)
    return float((parts.pictures * np.abs(parts.accuracy - parts.confidence)).sum() / len(confidence))
