"""A threshold with a promise: of the answers accepted from it on, at most so many are wrong.

Owns the thresholds that are tried and the tests that a threshold must pass, on plain arrays. Learn then
test (Angelopoulos et al., "Learn then test: calibrating predictive algorithms to achieve risk control",
2021), with MAPIE's p-values and control of the family-wise error. Needed offline only.

The thresholds are fixed before the calibration pictures are looked at: they come from other pictures.
They are tried from the strict to the lax, each at the whole error rate, up to the first that fails (fixed
sequence testing). As the order is fixed, that keeps the chance of passing any bad threshold below the
error rate, where Bonferroni's correction for some thirty thresholds would cost a tenth of the coverage.
MAPIE's own controller of precision is not used: it takes the order from the calibration pictures, and
starts where too few are accepted for any test to pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METHOD = (
    "learn then test on the share of wrong among accepted answers: exact binomial tests, fixed sequence of thresholds "
    "set before on other pictures (MAPIE)"
)

START_COVERAGE, COVERAGE_STEP = 0.4, 0.02
"""The first threshold accepts two fifths of the pictures, each further one a fiftieth more. A stricter start fails by
a single mislabelled picture, a laxer one where the model is weak, and either ends the sequence; finer steps gain
little and stop sooner."""

MOST_AT_START = 0.9
"""With so few pictures that even this share of them could prove nothing, there is no threshold to try."""

PLACES = 4
"""Decimal places of a threshold."""

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Chosen:
    """The threshold, and what it does with the calibration pictures. Without ``is_certified`` nothing is promised.

    ``first_accepted`` and ``first_wrong`` are of the strictest threshold that was tried, to tell how far off it was.
    """

    threshold: float
    risk: float
    confidence: float
    pictures: int
    accepted: int
    wrong: int
    is_certified: bool
    first_accepted: int = 0
    first_wrong: int = 0

    @property
    def coverage(self) -> float:
        """The share of the calibration pictures that is accepted."""
        return self.accepted / self.pictures if self.pictures else 0.0


def thresholds_to_try(certainty: Values, *, pictures: int, risk: float, confidence: float) -> Values:
    """Return the thresholds in the order of trying, strictest first; certainties (N,) are of pictures set aside for it.

    Each is rounded up, and is tested as rounded. ``pictures`` is the number of those that will calibrate: the
    first threshold must accept enough of them that a test can pass. Raises ValueError without certainties.
    """
    if not len(certainty):
        raise ValueError("thresholds are taken from pictures that do not calibrate, and there are none; set some aside")
    least = least_accepted(risk=risk, confidence=confidence)
    # Half as many again: the share accepted there and here differ by chance.
    start = max(START_COVERAGE, 1.5 * least / max(pictures, 1))
    if start > MOST_AT_START:
        return np.array([])
    coverages = np.arange(start, 1.0 + COVERAGE_STEP, COVERAGE_STEP).clip(max=1.0)
    found = np.quantile(certainty, 1.0 - coverages, method="higher")
    return np.unique([_rounded_up(float(value)) for value in found])[::-1]


def certify(certainty: Values, is_right: Flags, *, thresholds: Values, risk: float, confidence: float) -> Chosen:
    """Return the laxest threshold that can be certified on independent calibration pictures, (N,) each.

    An answer is accepted if its certainty is at or above the threshold. ``thresholds``, strictest first, must
    not hang on these pictures. If the first already fails, none is certified and the threshold is 1.
    Raises ValueError for a risk or a confidence that is not between 0 and 1.
    """
    for name, value in (("risk", risk), ("confidence", confidence)):
        if not 0.0 < value < 1.0:
            raise ValueError(f"{name} is a fraction between 0 and 1, both excluded; seen {value}")
    accepted = np.array([int((certainty >= threshold).sum()) for threshold in thresholds], dtype=np.int64)
    wrong = np.array([int((~is_right[certainty >= threshold]).sum()) for threshold in thresholds], dtype=np.int64)
    passed = _passed(accepted, wrong, risk=risk, confidence=confidence)
    threshold = float(thresholds[passed - 1]) if passed else 1.0
    is_accepted = certainty >= threshold
    return Chosen(
        threshold=threshold,
        risk=risk,
        confidence=confidence,
        pictures=len(certainty),
        accepted=int(is_accepted.sum()),
        wrong=int((~is_right[is_accepted]).sum()),
        is_certified=passed > 0,
        first_accepted=int(accepted[0]) if len(accepted) else 0,
        first_wrong=int(wrong[0]) if len(wrong) else 0,
    )


def p_values(accepted: NDArray[np.int64], wrong: NDArray[np.int64], *, risk: float) -> Values:
    """Return for each threshold how likely so few wrong answers would be, were the risk as great as ``risk``: (T,).

    For answers that are right or wrong, MAPIE's p-value is that of the exact binomial test. Nothing accepted
    proves nothing: 1.
    """
    from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value

    # MAPIE rounds share times count up to whole answers; a hair less keeps 4.0000000001 from becoming 5.
    share = wrong / np.maximum(accepted, 1) * (1.0 - 1e-9)
    values = compute_hoeffding_bentkus_p_value(share, np.maximum(accepted, 1).astype(float), risk, binary=True)
    return np.where(accepted > 0, values[:, 0], 1.0)


def least_accepted(*, risk: float, confidence: float, wrong_fraction: float = 0.0) -> int:
    """Return how many accepted pictures would prove the risk, if this fraction of them were wrong.

    Raises ValueError if no number would: the fraction is not below the risk.
    """
    if wrong_fraction >= risk:
        raise ValueError(f"{wrong_fraction:.1%} wrong can never prove at most {risk:.1%} wrong")
    counts = np.array([math.ceil(math.log(1.0 - confidence) / math.log(1.0 - risk))])
    while True:
        wrong = np.ceil(wrong_fraction * counts).astype(np.int64)
        if p_values(counts, wrong, risk=risk)[0] <= 1.0 - confidence:
            return int(counts[0])
        counts = counts + max(1, int(counts[0]) // 50)


def _passed(accepted: NDArray[np.int64], wrong: NDArray[np.int64], *, risk: float, confidence: float) -> int:
    """Return how many thresholds pass before the first that fails."""
    from mapie.risk_control.fwer_control import control_fwer

    if not len(accepted):
        return 0
    error_rate = round(1.0 - confidence, 12)  # 1 - 0.95 is a hair more than 0.05
    return len(control_fwer(p_values(accepted, wrong, risk=risk), error_rate, fwer_method="fixed_sequence"))


def _rounded_up(certainty: float) -> float:
    scale = 10**PLACES
    return float(min(math.ceil(round(certainty * scale, 2)) / scale, 1.0))
