"""Groups never cross a split, and some sources are never trained on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.photos import Photo
from training.splits import Fractions, Split, folds_by_group, split_by_group

ALL = Fractions(validation=0.1, calibration=0.15, test=0.15)
KEPT_BACK = {  # groups of a subject, fractions: groups in train, validation, calibration, test
    "as said": (100, ALL, [60, 10, 15, 15]),
    "none watched": (100, Fractions(0.0, 0.15, 0.15), [70, 0, 15, 15]),
    "only tested": (20, Fractions(0.0, 0.0, 0.2), [16, 0, 0, 4]),
    "all trains": (20, Fractions(0.0, 0.0, 0.0), [20, 0, 0, 0]),
    "one group at least": (4, ALL, [1, 1, 1, 1]),
    "too few groups": (3, ALL, [3, 0, 0, 0]),
    "one is left to train on": (5, Fractions(0.3, 0.3, 0.3), [1, 1, 1, 2]),
}


def photo(number: int, *, subject: str = "Tilapia", source: str = "kaggle31", domain: str = "expert", group: str = ""):
    return Photo(f"{subject}/{number}.jpg", source, domain, subject, group or f"{subject}-{number}")


def test_groups_never_cross_even_when_subjects_share_them():
    photos = [photo(i, subject=subject, group=f"g{i % 17}") for subject in ("Mullet", "Perch") for i in range(60)]
    splits = split_by_group(photos, seed=7)
    groups = [{photo.group for photo in splits[split]} for split in Split]
    assert all(splits[split] for split in Split if split is not Split.VALIDATION)
    assert sum(len(part) for part in groups) == len(set.union(*groups)) == 17
    assert sorted(p.path for part in splits.values() for p in part) == sorted(p.path for p in photos)


@pytest.mark.parametrize(("groups", "fractions", "counts"), KEPT_BACK.values(), ids=KEPT_BACK)
def test_shares_are_as_said(groups: int, fractions: Fractions, counts: list[int]):
    splits = split_by_group([photo(i) for i in range(groups)], seed=7, fractions=fractions)
    assert [len(splits[split]) for split in Split] == counts


def test_every_subject_is_in_every_split():
    photos = [photo(i, subject=subject) for subject in ("Mullet", "Perch") for i in range(4)]
    splits = split_by_group(photos, seed=7, fractions=ALL)
    assert all({p.subject for p in splits[split]} == {"Mullet", "Perch"} for split in Split)


@pytest.mark.parametrize("fractions", [(0.4, 0.3, 0.3), (0.0, -0.1, 0.2)])
def test_fractions_that_leave_nothing_are_refused(fractions: tuple[float, float, float]):
    with pytest.raises(ValueError, match="must be at least 0 and all together below 1"):
        Fractions(*fractions)


def test_a_subject_with_few_groups_only_trains():
    photos = [photo(i, group=f"tray{i % 3}") for i in range(45)]
    assert split_by_group(photos, seed=7, fractions=ALL) == {split: [] for split in Split} | {Split.TRAIN: photos}


def test_a_split_does_not_hang_on_other_subjects():
    mullets = [photo(i, subject="Mullet") for i in range(40)]
    alone = split_by_group(mullets, seed=7)
    among_others = split_by_group([photo(i) for i in range(40)] + mullets, seed=7)
    assert alone[Split.TEST] == [p for p in among_others[Split.TEST] if p.subject == "Mullet"]


def test_the_seed_decides():
    photos = [photo(i) for i in range(40)]
    assert split_by_group(photos, seed=7) == split_by_group(photos, seed=7)
    assert split_by_group(photos, seed=7) != split_by_group(photos, seed=8)


@pytest.mark.parametrize(
    ("source", "domain"),
    [("bd20", "expert"), ("milkfish", "expert"), ("indonesia7", "expert"), ("ood_imagenet", "non_fish")],
)
def test_sources_for_testing_only_are_refused(source: str, domain: str):
    with pytest.raises(ValueError, match=rf"photographs of '{source}' \({domain}\) are for testing only"):
        split_by_group([photo(0), photo(1, source=source, domain=domain)], seed=7)


def test_other_species_of_a_foreign_source_may_train():
    photos = [photo(i, source="bd20", domain="other_species", subject="Corica soborna") for i in range(10)]
    assert len(split_by_group(photos, seed=7)[Split.TRAIN]) == 6


def test_the_sources_to_train_on_can_be_chosen():
    photos = [photo(i, source="bd20") for i in range(10)]
    assert len(split_by_group(photos, seed=7, training_sources=["bd20"])[Split.TRAIN]) == 6
    assert len(split_by_group(photos, seed=7, training_sources=[])[Split.TRAIN]) == 6
    with pytest.raises(ValueError, match="for testing only; expert classes train on milkfish"):
        split_by_group(photos, seed=7, training_sources=["milkfish"])


def test_things_that_are_no_fish_are_refused_whatever_the_sources():
    with pytest.raises(ValueError, match=r"'bd20' \(non_fish\) are for testing only; .* any other source"):
        split_by_group([photo(0, source="bd20", domain="non_fish")], seed=7, training_sources=[])


def test_folds_test_even_shares_of_each_subject():
    photos = [photo(i, subject=subject) for subject, count in {"Mullet": 20, "Perch": 7}.items() for i in range(count)]
    folds = folds_by_group(photos, folds=5, seed=7)
    tested = [
        [sum(p.subject == subject for p in fold[Split.TEST]) for fold in folds] for subject in ("Mullet", "Perch")
    ]
    assert tested[0] == [4] * 5
    assert sorted(tested[1]) == [1, 1, 1, 2, 2]


def test_folds_balance_photographs_not_groups():
    photos = [photo(i, group="large" if i < 6 else "") for i in range(12)]
    assert sorted(len(fold[Split.TEST]) for fold in folds_by_group(photos, folds=2, seed=7)) == [6, 6]


def test_small_subjects_do_not_all_fall_into_the_first_fold():
    photos = [photo(0, subject=f"subject {i}") for i in range(40)]
    assert all(len(fold[Split.TEST]) < 20 for fold in folds_by_group(photos, folds=4, seed=7))


def test_the_rest_of_a_fold_is_split_by_the_fractions():
    fold = folds_by_group([photo(i) for i in range(100)], folds=5, seed=7, fractions=Fractions(0.1, 0.1, 0.15))[0]
    assert [len(fold[split]) for split in Split] == [64, 8, 8, 20]


@pytest.mark.parametrize("folds", [0, 1, 6])
def test_impossible_numbers_of_folds_are_refused(folds: int):
    with pytest.raises(ValueError, match=f"cannot make {folds} folds of 5 groups; allowed: 2 to the number of groups"):
        folds_by_group([photo(i) for i in range(5)], folds=folds, seed=7)


def test_folds_refuse_sources_for_testing_only():
    with pytest.raises(ValueError, match="for testing only"):
        folds_by_group([photo(i, source="bd20") for i in range(5)], folds=2, seed=7)


SOME_PHOTOS = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 11)), min_size=1, max_size=60).map(
    lambda facts: [photo(i, subject=subject, group=f"g{group}") for i, (subject, group) in enumerate(facts)]
)


@settings(deadline=None)  # other programs on the machine must not fail it
@given(SOME_PHOTOS, st.integers(0, 99), st.floats(0, 0.3), st.floats(0, 0.3), st.floats(0, 0.3))
def test_no_group_ever_crosses_and_no_photograph_is_lost(
    photos: list[Photo], seed: int, validation: float, calibration: float, test: float
):
    splits = split_by_group(photos, seed=seed, fractions=Fractions(validation, calibration, test))
    groups = [{p.group for p in splits[split]} for split in Split]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert sorted(p.path for part in splits.values() for p in part) == sorted(p.path for p in photos)


@settings(deadline=None)  # other programs on the machine must not fail it
@given(SOME_PHOTOS, st.integers(0, 99), st.integers(2, 5))
def test_folds_test_each_photograph_once_and_never_train_on_its_group(photos: list[Photo], seed: int, folds: int):
    if len({p.group for p in photos}) < folds:
        return
    found = folds_by_group(photos, folds=folds, seed=seed, fractions=ALL)
    assert sorted(p.path for fold in found for p in fold[Split.TEST]) == sorted(p.path for p in photos)
    for fold in found:
        groups = [{p.group for p in fold[split]} for split in Split]
        assert sum(map(len, groups)) == len(set.union(*groups))
        assert sum(len(part) for part in fold.values()) == len(photos)
