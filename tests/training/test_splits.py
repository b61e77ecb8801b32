"""Groups never cross a split, and some sources are never trained on."""

from __future__ import annotations

import pytest

from training.photos import Photo
from training.splits import Split, split_by_group


def photo(number: int, *, subject: str = "Tilapia", source: str = "kaggle31", domain: str = "expert", group: str = ""):
    return Photo(f"{subject}/{number}.jpg", source, domain, subject, group or f"{subject}-{number}")


def test_groups_never_cross_even_when_subjects_share_them():
    photos = [photo(i, subject=subject, group=f"g{i % 17}") for subject in ("Mullet", "Perch") for i in range(60)]
    splits = split_by_group(photos, seed=7)
    groups = [{photo.group for photo in splits[split]} for split in Split]
    assert all(groups)
    assert sum(len(part) for part in groups) == len(set.union(*groups)) == 17
    assert sorted(p.path for part in splits.values() for p in part) == sorted(p.path for p in photos)


def test_shares_are_as_said():
    splits = split_by_group([photo(i) for i in range(100)], seed=7)
    assert [len(splits[split]) for split in Split] == [70, 15, 15]


def test_every_subject_is_in_every_split():
    photos = [photo(i, subject=subject) for subject in ("Mullet", "Perch") for i in range(4)]
    splits = split_by_group(photos, seed=7)
    assert all({p.subject for p in splits[split]} == {"Mullet", "Perch"} for split in Split)


def test_a_subject_with_few_groups_only_trains():
    photos = [photo(i, group=f"tray{i % 3}") for i in range(45)]
    assert split_by_group(photos, seed=7) == {Split.TRAIN: photos, Split.CALIBRATION: [], Split.TEST: []}


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
