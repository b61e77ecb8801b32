"""The figures of certainty and calibration are those counted by hand."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.evaluation import (
    aurc,
    auroc,
    expected_calibration_error,
    reliability_bins,
    risk_coverage,
)


def test_a_positive_outscores_a_negative_in_this_share_of_pairs():
    # Of the six pairs three are in order, and one is a tie that counts half.
    assert auroc(np.array([3.0, 2.0, 0.5]), np.array([1.0, 2.0])) == pytest.approx(3.5 / 6)


@pytest.mark.parametrize(("positive", "negative"), [([], [1.0]), ([1.0], [])])
def test_no_auroc_comes_of_one_kind(positive: list[float], negative: list[float]):
    with pytest.raises(ValueError, match=f"{len(positive)} positive and {len(negative)} negative scores"):
        auroc(np.array(positive), np.array(negative))


RISKS = [
    ("certain answers right", [0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0], [0, 0, 1 / 3, 1 / 2]),
    ("certain answers wrong", [0.9, 0.8, 0.7, 0.6], [0, 0, 1, 1], [1, 1, 2 / 3, 1 / 2]),
    ("in any order", [0.6, 0.9, 0.7, 0.8], [0, 1, 0, 1], [0, 0, 1 / 3, 1 / 2]),
    ("equals share their wrongs", [0.9, 0.5, 0.5], [1, 1, 0], [0, 1 / 4, 1 / 3]),
    ("all right", [0.2, 0.1], [1, 1], [0, 0]),
]


@pytest.mark.parametrize(("certainty", "is_right", "risks"), [case[1:] for case in RISKS], ids=[c[0] for c in RISKS])
def test_risk_at_each_coverage(certainty: list[float], is_right: list[int], risks: list[float]):
    coverage, risk = risk_coverage(np.array(certainty), np.array(is_right, dtype=bool))
    assert coverage == pytest.approx(np.arange(1, len(risks) + 1) / len(risks))
    assert risk == pytest.approx(risks)
    assert aurc(np.array(certainty), np.array(is_right, dtype=bool)) == pytest.approx(np.mean(risks))


ANSWERS = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=40)


@settings(deadline=None)
@given(ANSWERS, st.randoms(use_true_random=False))
def test_the_order_of_the_pictures_changes_no_figure(answers: list[tuple[float, bool]], random: Random):
    shuffled = random.sample(answers, len(answers))
    for figure in (aurc, expected_calibration_error):
        assert figure(*arrays(answers)) == pytest.approx(figure(*arrays(shuffled)))


@settings(deadline=None)
@given(ANSWERS)
def test_at_full_coverage_the_risk_is_the_share_of_wrong_answers(answers: list[tuple[float, bool]]):
    certainty, is_right = arrays(answers)
    assert risk_coverage(certainty, is_right)[1][-1] == pytest.approx((~is_right).mean())


def test_no_curve_comes_of_no_answers():
    with pytest.raises(ValueError, match="there are no answers"):
        risk_coverage(np.array([]), np.array([], dtype=bool))


def test_a_bin_has_its_upper_edge_in_it_and_the_first_also_nothing():
    bins = reliability_bins(np.array([0.0, 0.25, 0.26, 1.0]), np.array([False, True, True, True]), bins=4)
    assert bins.upper_edges.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert bins.pictures.tolist() == [2, 1, 0, 1]
    assert bins.confidence == pytest.approx([0.125, 0.26, 0.0, 1.0])
    assert bins.accuracy.tolist() == [0.5, 1.0, 0.0, 1.0]


def test_the_error_of_calibration_weighs_each_bin_by_its_pictures():
    # Three pictures in one bin of confidence 0.9, two right; one in another of 0.3, wrong.
    error = expected_calibration_error(np.array([0.9, 0.9, 0.9, 0.3]), np.array([True, True, False, False]))
    assert error == pytest.approx(3 / 4 * (0.9 - 2 / 3) + 1 / 4 * 0.3)


def test_fifteen_bins_part_what_ten_would_not():
    confidence, is_right = np.array([0.61, 0.69]), np.array([True, False])
    assert expected_calibration_error(confidence, is_right) == pytest.approx((0.39 + 0.69) / 2)
    assert expected_calibration_error(confidence, is_right, bins=10) == pytest.approx(0.65 - 0.5)


def test_no_error_of_calibration_comes_of_no_pictures():
    with pytest.raises(ValueError, match="there are no pictures"):
        expected_calibration_error(np.array([]), np.array([], dtype=bool))


def arrays(answers: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([certainty for certainty, _ in answers]), np.array([right for _, right in answers])
