"""Which photographs train, which are watched while training, which calibrate and which test.

Owns the rule that a group never crosses a split, and the rule that some sources are for testing
only. It does not read pictures, and takes groups as they are given.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from enum import Enum

from training.photos import EXPERT, NON_FISH, Photo

TRAINING_SOURCES = ("kaggle31", "seafood11")
"""The sources of expert classes that may be trained on. All others show how well a model travels
to photographs of another origin, which they can do only as long as no model has seen them."""

MIN_GROUPS = 4
"""With fewer groups a subject cannot fill four splits, so all of it trains and it has no kept-back figure."""


class Split(str, Enum):
    """What a photograph is used for."""

    TRAIN = "train"
    VALIDATION = "validation"  # watched while training, for early stopping
    CALIBRATION = "calibration"
    TEST = "test"


Splits = dict[Split, list[Photo]]


@dataclass(frozen=True)
class Fractions:
    """Which fraction of each subject's groups is kept back for what; the rest trains.

    Raises ValueError unless each is at least 0 and together they are below 1.
    """

    validation: float = 0.0
    calibration: float = 0.15
    test: float = 0.15

    def __post_init__(self) -> None:
        """Refuse fractions that leave nothing to train on."""
        if min(astuple(self)) < 0 or sum(astuple(self)) >= 1:
            seen = f"validation {self.validation}, calibration {self.calibration}, test {self.test}"
            raise ValueError(f"cannot keep back {seen}: each must be at least 0 and all together below 1")


USUAL = Fractions()


def split_by_group(
    photos: Sequence[Photo],
    *,
    seed: int,
    fractions: Fractions = USUAL,
    training_sources: Sequence[str] = TRAINING_SOURCES,
) -> Splits:
    """Split photographs subject by subject; raise ValueError for one that is for testing only.

    Without ``training_sources`` expert classes may be of any source. A subject's split does not
    hang on which other subjects there are, so that expert and zero-shot keep back the same
    photographs of the classes they share. Each split asked for gets at least one group of a
    subject that has ``MIN_GROUPS``.
    """
    _refuse_test_only(photos, training_sources)
    split_of: dict[str, Split] = {}
    for subject, sizes in _groups_of_subjects(photos).items():
        # A group that an earlier subject shares already has its split, and keeps it.
        groups = sorted(sizes.keys() - split_of.keys())
        random.Random(f"{seed} {subject}").shuffle(groups)
        split_of.update(_assign(groups, fractions))
    return _parted(photos, split_of)


def folds_by_group(
    photos: Sequence[Photo],
    *,
    folds: int,
    seed: int,
    fractions: Fractions = USUAL,
    training_sources: Sequence[str] = TRAINING_SOURCES,
) -> list[Splits]:
    """Split photographs ``folds`` times, so that each is tested exactly once (k-fold by group).

    Each fold gets as even a share of each subject's photographs as its groups allow; a subject of
    one group is then tested by a model that never saw it. The photographs outside the tested fold
    are divided by ``fractions.validation`` and ``.calibration`` of their groups;
    ``fractions.test`` is not used. Raises ValueError as ``split_by_group``, and for fewer than two
    folds or fewer groups than folds.
    """
    _refuse_test_only(photos, training_sources)
    fold_of = _fold_of_groups(photos, folds, seed)
    rest = Fractions(fractions.validation, fractions.calibration, 0.0)
    return [_tested_by_fold(photos, fold_of, fold, seed, rest) for fold in range(folds)]


def _tested_by_fold(
    photos: Sequence[Photo], fold_of: Mapping[str, int], fold: int, seed: int, fractions: Fractions
) -> Splits:
    others = [photo for photo in photos if fold_of[photo.group] != fold]
    splits = split_by_group(others, seed=seed, fractions=fractions, training_sources=())
    return splits | {Split.TEST: [photo for photo in photos if fold_of[photo.group] == fold]}


def _fold_of_groups(photos: Sequence[Photo], folds: int, seed: int) -> dict[str, int]:
    count = len({photo.group for photo in photos})
    if not 2 <= folds <= count:
        raise ValueError(f"cannot make {folds} folds of {count} groups; allowed: 2 to the number of groups")
    fold_of: dict[str, int] = {}
    for subject, sizes in _groups_of_subjects(photos).items():
        _spread(sizes, fold_of, folds, random.Random(f"{seed} {subject}"))
    return fold_of


def _spread(sizes: Mapping[str, int], fold_of: dict[str, int], folds: int, chance: random.Random) -> None:
    """Give each group, large ones first, to the fold with the fewest photographs of the subject so far."""
    filled = [0] * folds
    for group in sizes.keys() & fold_of.keys():
        filled[fold_of[group]] += sizes[group]
    turn = chance.sample(range(folds), folds)  # where the odd ones go, else the first folds would get them all
    groups = sorted(sizes.keys() - fold_of.keys())
    chance.shuffle(groups)
    for group in sorted(groups, key=lambda group: -sizes[group]):
        fold = min(turn, key=lambda fold: filled[fold])
        fold_of[group] = fold
        filled[fold] += sizes[group]


def _groups_of_subjects(photos: Sequence[Photo]) -> dict[str, Counter[str]]:
    """Return the number of photographs in each group of each subject, subjects in the order of their names."""
    sizes: dict[str, Counter[str]] = {subject: Counter() for subject in sorted({photo.subject for photo in photos})}
    for photo in photos:
        sizes[photo.subject][photo.group] += 1
    return sizes


def _assign(groups: Sequence[str], fractions: Fractions) -> dict[str, Split]:
    if len(groups) < MIN_GROUPS:
        return dict.fromkeys(groups, Split.TRAIN)
    kept = _counts(len(groups), fractions)
    order = [Split.TRAIN] * (len(groups) - sum(kept.values()))
    for split, count in kept.items():
        order += [split] * count
    return dict(zip(groups, order, strict=True))


def _counts(groups: int, fractions: Fractions) -> dict[Split, int]:
    """Return how many of a subject's groups each split keeps back, leaving at least one to train on."""
    kept_back = (Split.VALIDATION, Split.CALIBRATION, Split.TEST)
    shares = zip(kept_back, astuple(fractions), strict=True)
    counts = {split: max(1, round(share * groups)) for split, share in shares if share > 0}
    while sum(counts.values()) >= groups:
        counts[max(counts, key=lambda split: counts[split])] -= 1
    return counts


def _parted(photos: Sequence[Photo], split_of: Mapping[str, Split]) -> Splits:
    return {split: [photo for photo in photos if split_of[photo.group] is split] for split in Split}


def _refuse_test_only(photos: Sequence[Photo], training_sources: Sequence[str]) -> None:
    for photo in photos:
        is_foreign = photo.domain == EXPERT and training_sources and photo.source not in training_sources
        if is_foreign or photo.domain == NON_FISH:
            allowed = ", ".join(training_sources) or "any other source"
            raise ValueError(
                f"photographs of {photo.source!r} ({photo.domain}) are for testing only; "
                f"expert classes train on {allowed}"
            )
