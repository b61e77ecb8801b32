"""Fractions carry honest intervals, and a source's figures count right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.source_figures import fraction_of, source_figures


def flags(hits: int, pictures: int) -> np.ndarray:
    return np.arange(pictures) < hits


# Wilson score intervals at 95 %, by the closed formula with z = 1.959964.
INTERVALS = [
    (0, 30, 0.0, 0.1135),
    (15, 30, 0.3315, 0.6685),
    (30, 30, 0.8865, 1.0),
    (1, 1, 0.2065, 1.0),
    (20, 1000, 0.0130, 0.0307),
]


@pytest.mark.parametrize(("hits", "pictures", "low", "high"), INTERVALS)
def test_the_interval_is_wide_where_pictures_are_few(hits: int, pictures: int, low: float, high: float):
    fraction = fraction_of(flags(hits, pictures))
    assert (fraction.hits, fraction.pictures, fraction.value) == (hits, pictures, hits / pictures)
    assert (fraction.low, fraction.high) == pytest.approx((low, high), abs=5e-5)


def test_of_no_pictures_nothing_is_known():
    fraction = fraction_of(flags(0, 0))
    assert (fraction.value, fraction.low, fraction.high) == (0.0, 0.0, 1.0)


@settings(deadline=None)
@given(st.integers(1, 400).flatmap(lambda pictures: st.tuples(st.integers(0, pictures), st.just(pictures))))
def test_the_interval_holds_the_fraction(counts: tuple[int, int]):
    fraction = fraction_of(flags(*counts))
    assert 0.0 <= fraction.low <= fraction.value <= fraction.high <= 1.0
    assert fraction.low < fraction.high


def test_figures_of_a_source():
    is_right = np.array([True, True, False, False, True])
    is_accepted = np.array([True, True, True, False, False])
    figures = source_figures(is_right, is_accepted)
    counts = {name: (fraction.hits, fraction.pictures) for name, fraction in vars(figures).items()}
    assert counts == {
        "right": (3, 5),
        "accepted": (3, 5),
        "wrong_among_accepted": (1, 3),
        "accepted_and_wrong": (1, 5),
        "deferred": (2, 5),
    }
