"""A pass shows each class at least and at most as often as was said, and in time every picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.balancing import class_counts, plan

PICTURES_SHOWN = {  # pictures of a class: shown in a pass at least 4, at most 6
    "one": (1, 4),
    "few": (3, 4),
    "just enough": (4, 4),
    "between": (5, 5),
    "just not too many": (6, 6),
    "many": (20, 6),
}


@pytest.mark.parametrize(("pictures", "shown"), PICTURES_SHOWN.values(), ids=PICTURES_SHOWN)
def test_a_class_is_shown_as_often_as_the_limits_say(pictures: int, shown: int):
    labels = np.array([0] * 5 + [1] * pictures)
    rows = plan(labels, least=4, most=6, seed=7, epoch=0)
    assert class_counts(labels[rows], ["other", "this"]) == {"other": 5, "this": shown}


def test_counts_before_and_after_name_every_class():
    labels = np.array([0] * 900 + [2] * 60)
    assert class_counts(labels, ["Carp", "Eel", "Tench"]) == {"Carp": 900, "Eel": 0, "Tench": 60}
    after = labels[plan(labels, least=250, most=500, seed=7, epoch=0)]
    assert class_counts(after, ["Carp", "Eel", "Tench"]) == {"Carp": 500, "Eel": 0, "Tench": 250}


def test_the_pictures_of_a_small_class_repeat_evenly():
    labels = np.zeros(100, dtype=np.int64)
    times = np.bincount(plan(labels, least=250, most=500, seed=7, epoch=3))
    assert set(times.tolist()) == {2, 3}


def test_a_large_class_has_shown_every_picture_after_enough_passes():
    labels = np.zeros(23, dtype=np.int64)
    passes = [set(plan(labels, least=1, most=5, seed=7, epoch=epoch).tolist()) for epoch in range(5)]
    assert [len(rows) for rows in passes] == [5] * 5
    assert set.union(*passes) == set(range(23))


def test_seed_and_epoch_decide():
    labels = np.array([0] * 30 + [1] * 3)
    first, again = (plan(labels, least=5, most=10, seed=7, epoch=0) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != plan(labels, least=5, most=10, seed=7, epoch=1).tolist()
    assert first.tolist() != plan(labels, least=5, most=10, seed=8, epoch=0).tolist()


def test_classes_are_mixed_in_the_order():
    labels = np.repeat(np.arange(4), 50)
    shown = labels[plan(labels, least=50, most=50, seed=7, epoch=0)]
    assert len(set(shown[:25].tolist())) == 4


def test_no_pictures_make_an_empty_plan():
    assert plan(np.zeros(0, dtype=np.int64), least=1, most=2, seed=7, epoch=0).tolist() == []


@pytest.mark.parametrize(("least", "most"), [(0, 5), (6, 5), (-1, -1)])
def test_impossible_limits_are_refused(least: int, most: int):
    with pytest.raises(ValueError, match=rf"at least {least} and at most {most}; allowed: 1 ≤ least ≤ most"):
        plan(np.zeros(3, dtype=np.int64), least=least, most=most, seed=7, epoch=0)


@settings(deadline=None)  # other programs on the machine must not fail it
@given(
    st.lists(st.integers(0, 4), max_size=60), st.integers(1, 8), st.integers(0, 8), st.integers(0, 9), st.integers(0, 9)
)
def test_every_class_keeps_the_limits_whatever_the_labels(
    given: list[int], least: int, more: int, seed: int, epoch: int
):
    labels, most = np.array(given, dtype=np.int64), least + more
    rows = plan(labels, least=least, most=most, seed=seed, epoch=epoch)
    assert set(rows.tolist()) <= set(range(len(labels)))
    for label in np.unique(labels):
        times = np.bincount(rows, minlength=len(labels))[labels == label]
        count = int((labels == label).sum())
        assert times.sum() == max(least, min(count, most))
        assert times.max() - times.min() <= 1
