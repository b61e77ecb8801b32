"""Confusion and the scores of each class count as by hand, and as scikit-learn counts them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from training.class_scores import class_scores, confusion_matrix, is_among_best

# The right class down, the answer across: class 0 has 4 pictures, class 2 none and is answered once.
CONFUSION = np.array([[3, 1, 0], [0, 1, 1], [0, 0, 0]])


def test_the_matrix_counts_the_right_class_down_and_the_answer_across():
    labels, answers = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 2])
    assert confusion_matrix(labels, answers, classes=3).tolist() == CONFUSION.tolist()


def test_scores_of_each_class():
    scores = class_scores(CONFUSION)
    assert scores.precision.tolist() == [1.0, 0.5, 0.0]
    assert scores.recall.tolist() == [0.75, 0.5, 0.0]
    assert scores.f1 == pytest.approx([6 / 7, 0.5, 0.0])
    assert scores.pictures.tolist() == [4, 2, 0]


def test_a_class_without_pictures_has_no_part_in_the_mean():
    scores = class_scores(CONFUSION)
    assert scores.macro(scores.recall) == pytest.approx((0.75 + 0.5) / 2)


def test_no_mean_comes_of_no_pictures():
    scores = class_scores(np.zeros((2, 2), dtype=np.int64))
    with pytest.raises(ValueError, match="no class has pictures"):
        scores.macro(scores.recall)


@pytest.mark.parametrize(
    ("labels", "answers", "message"),
    [
        ([-1, 0], [0, 0], "label -1 is no class; allowed are 0 to 2"),
        ([0, 1], [0, 3], "answer 3 is no class; allowed are 0 to 2"),
    ],
    ids=["no label fits", "answer out of range"],
)
def test_a_number_that_is_no_class_is_refused(labels: list[int], answers: list[int], message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        confusion_matrix(np.array(labels), np.array(answers), classes=3)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[int, int]]):
    labels, answers = np.array(pairs).T
    scores = class_scores(confusion_matrix(labels, answers, classes=5))
    precision, recall, f1, pictures = precision_recall_fscore_support(labels, answers, labels=range(5), zero_division=0)
    assert scores.precision == pytest.approx(precision)
    assert scores.recall == pytest.approx(recall)
    assert scores.f1 == pytest.approx(f1)
    assert scores.pictures.tolist() == list(pictures)


def test_the_right_label_is_looked_for_among_the_best():
    logits = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert is_among_best(logits, np.array([1, 0]), 2).tolist() == [True, False]
