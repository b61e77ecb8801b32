"""Which photographs train, which calibrate and which test.

Owns the rule that a group never crosses a split, and the rule that some sources are for testing
only. It does not read pictures.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import Enum

from training.photos import EXPERT, NON_FISH, Photo

TRAINING_SOURCES = ("kaggle31", "seafood11")
"""The sources of expert classes that may be trained on. All others show how well a model travels
to photographs of another origin, which they can do only as long as no model has seen them."""

CALIBRATION_FRACTION = 0.15
TEST_FRACTION = 0.15
MIN_GROUPS = 4
"""With fewer groups a subject cannot fill three splits, so all of it trains and it has no kept-back figure."""


class Split(str, Enum):
    """What a photograph is used for."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


Splits = dict[Split, list[Photo]]


def split_by_group(photos: Sequence[Photo], *, seed: int) -> Splits:
    """Split photographs subject by subject; raise ValueError for one that is for testing only.

    A subject's split does not hang on which other subjects there are, so that expert and zero-shot
    keep back the same photographs of the classes they share.
    """
    _refuse_test_only(photos)
    groups_of: dict[str, set[str]] = {}
    for photo in photos:
        groups_of.setdefault(photo.subject, set()).add(photo.group)
    split_of: dict[str, Split] = {}
    for subject in sorted(groups_of):
        # A group that an earlier subject shares already has its split, and keeps it.
        groups = sorted(groups_of[subject] - split_of.keys())
        random.Random(f"{seed} {subject}").shuffle(groups)
        split_of.update(_assign(groups))
    return {split: [photo for photo in photos if split_of[photo.group] is split] for split in Split}


def _assign(groups: Sequence[str]) -> dict[str, Split]:
    if len(groups) < MIN_GROUPS:
        return dict.fromkeys(groups, Split.TRAIN)
    calibration = max(1, round(CALIBRATION_FRACTION * len(groups)))
    test = max(1, round(TEST_FRACTION * len(groups)))
    train = len(groups) - calibration - test
    order = [Split.TRAIN] * train + [Split.CALIBRATION] * calibration + [Split.TEST] * test
    return dict(zip(groups, order, strict=True))


def _refuse_test_only(photos: Sequence[Photo]) -> None:
    for photo in photos:
        is_foreign = photo.domain == EXPERT and photo.source not in TRAINING_SOURCES
        if is_foreign or photo.domain == NON_FISH:
            raise ValueError(
                f"photographs of {photo.source!r} ({photo.domain}) are for testing only; "
                f"expert classes train on {', '.join(TRAINING_SOURCES)}"
            )
