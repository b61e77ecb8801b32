"""How well each class is told from the others: confusion, precision, recall and F1.

Owns these figures as pure functions of label numbers; it does not know names, models or photographs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassScores:
    """Scores by class, each (classes,), and how many pictures each class has.

    A precision of a class never answered, or a recall of one without pictures, is 0.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    pictures: Labels

    def macro(self, scores: Floats) -> float:
        """Return the plain mean over the classes that have pictures, so that rare ones weigh as much as common ones.

        Raises ValueError if no class has any.
        """
        if not self.pictures.any():
            raise ValueError("no class has pictures, so there is no mean over classes; at least one is needed")
        return float(scores[self.pictures > 0].mean())


def confusion_matrix(labels: Labels, answers: Labels, *, classes: int) -> Labels:
    """Count the pictures of each class by answer: (classes, classes), the right class down, the answer across.

    Raises ValueError for a number that is no class.
    """
    for what, numbers in (("label", labels), ("answer", answers)):
        outside = numbers[(numbers < 0) | (numbers >= classes)]
        if len(outside):
            raise ValueError(f"{what} {outside[0]} is no class; allowed are 0 to {classes - 1}")
    return np.bincount(labels * classes + answers, minlength=classes * classes).reshape(classes, classes)


def class_scores(confusion: Labels) -> ClassScores:
    """Return the scores of each class from a confusion matrix (classes, classes)."""
    right, pictures, answered = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassScores(
        precision=right / np.maximum(answered, 1),
        recall=right / np.maximum(pictures, 1),
        f1=2 * right / np.maximum(pictures + answered, 1),
        pictures=pictures,
    )


def is_among_best(scores: NDArray[np.floating], labels: Labels, count: int) -> NDArray[np.bool_]:
    """Return for each picture whether its label is among the ``count`` highest scores (N, classes): (N,)."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return np.asarray((best == labels[:, None]).any(axis=1))
