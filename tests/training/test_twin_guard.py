"""No near-duplicate is measured that was trained on."""

from __future__ import annotations

from training.photos import EXPERT, Photo
from training.splits import Split
from training.twin_guard import kin_of, strangers, without_twins


def photo(path: str) -> Photo:
    return Photo(path=path, source="a", domain=EXPERT, subject="Trout", group=path)


def paths(photos: list[Photo]) -> list[str]:
    return [photo.path for photo in photos]


SPLITS = {
    Split.TRAIN: [photo("train-1"), photo("train-2")],
    Split.VALIDATION: [photo("validation-1"), photo("twin of train-1")],
    Split.CALIBRATION: [photo("twin of validation-1"), photo("calibration-1")],
    Split.TEST: [photo("twin of calibration-1"), photo("test-1"), photo("twin of test-1")],
}
KIN = {one.path: one.path.removeprefix("twin of ") for part in SPLITS.values() for one in part}


def test_a_twin_of_an_earlier_split_is_left_out() -> None:
    parted = without_twins(SPLITS, KIN)
    assert paths(parted[Split.VALIDATION]) == ["validation-1"]
    assert paths(parted[Split.CALIBRATION]) == ["calibration-1"]
    assert paths(parted[Split.TEST]) == ["test-1", "twin of test-1"]


def test_what_is_trained_on_does_not_change() -> None:
    assert without_twins(SPLITS, KIN)[Split.TRAIN] == SPLITS[Split.TRAIN]


def test_a_photograph_that_is_left_out_bars_no_other() -> None:
    kin = KIN | {"twin of train-1": "train-1", "test-1": "twin of nothing"}
    assert "test-1" in paths(without_twins(SPLITS, kin)[Split.TEST])


def test_strangers_are_those_of_unseen_groups() -> None:
    seen = kin_of(SPLITS[Split.TRAIN], KIN)
    assert paths(strangers(SPLITS[Split.VALIDATION], KIN, seen)) == ["validation-1"]
