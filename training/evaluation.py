"""What a finished model is worth, measured through the very code that serves it.

Owns the run over photographs and the figures for the model card. It does not choose anything;
``training.calibration`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fishgate.answer import Probabilities
from fishgate.model_card import Gate
from fishgate.preprocessing import Pixels, Preprocessing
from training.photos import Photo, read_pixels

Predict = Callable[[Sequence[Pixels]], list[Probabilities]]
Figures = dict[str, float | int]

PICTURES_AT_ONCE = 32
_PLACES = 4


def predict_photos(
    predict: Predict, photos: Sequence[Photo], folder: Path, preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Open, scale and identify photographs as the server does: shape (photos, labels).

    Raises ValueError if there are none, since no figure can be had from nothing.
    """
    if not photos:
        raise ValueError(
            "there are no photographs to evaluate; are all sources in the manifest, and all splits filled?"
        )
    starts = range(0, len(photos), PICTURES_AT_ONCE)
    answers: list[Probabilities] = []
    for start in tqdm(starts, desc="evaluating", unit="batch", mininterval=5):
        part = photos[start : start + PICTURES_AT_ONCE]
        answers += predict([read_pixels(photo, folder, preprocessing) for photo in part])
    return np.stack(answers)


def labels_of(photos: Sequence[Photo], index_of: Mapping[str, int]) -> NDArray[np.int64]:
    """Return the right output of each photograph, by the casefolded name of its subject."""
    return np.array([index_of[photo.subject.casefold()] for photo in photos], dtype=np.int64)


def known_figures(probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, threshold: float) -> Figures:
    """Return the figures for photographs of which the model has the right label."""
    is_right = probabilities.argmax(axis=1) == labels
    is_accepted = probabilities.max(axis=1) >= threshold
    return {
        "photographs": len(labels),
        "accuracy": _fraction(is_right),
        "accuracy_top_5": _fraction(_is_among_best(probabilities, labels, 5)),
        "accepted": _fraction(is_accepted),
        "wrong_among_accepted": _fraction(~is_right[is_accepted]),
    }


def foreign_figures(probabilities: NDArray[np.float32], *, threshold: float, below: str) -> Figures:
    """Return the figures for photographs that no label fits; ``below`` names what the gate does with them."""
    return {"photographs": len(probabilities), below: _fraction(probabilities.max(axis=1) < threshold)}


def confirmed(gate: Gate, figures: Figures, *, described: str) -> Gate:
    """Return the gate with what it did on photographs that it was not chosen on added to its evidence."""
    added = (
        f"On {figures['photographs']} {described} it accepts {figures['accepted']:.1%}, and "
        f"{figures['wrong_among_accepted']:.1%} of those are wrong. Photographs of another origin are wrong more "
        "often; see metrics."
    )
    return gate.model_copy(update={"evidence": f"{gate.evidence} {added}"})


def _is_among_best(probabilities: NDArray[np.float32], labels: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    best = np.argsort(-probabilities, axis=1)[:, :count]
    return np.asarray((best == labels[:, None]).any(axis=1))


def _fraction(flags: NDArray[np.bool_]) -> float:
    return round(float(flags.mean()), _PLACES) if len(flags) else 0.0
