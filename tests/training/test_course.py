"""What a pass shows, and where the pictures of a course are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.toy_course import PREPROCESSING
from training import pictures
from training.background import Cutouts
from training.course import by_balance, by_roots
from training.photos import Photo
from training.pictures import CutOut, InMemory, OnDisk, pictures_of
from training.recipe import Balance

LABELS = np.array([0] * 900 + [1] * 100)


def test_a_class_is_drawn_by_the_root_of_its_pictures():
    torch.manual_seed(1)
    sampling = by_roots(LABELS)
    shown = LABELS[np.concatenate([sampling.rows(number) for number in range(20)])]
    assert sampling.count == len(LABELS)
    assert shown.mean() == pytest.approx(10 / (10 + 30), abs=0.02)


def test_a_balanced_pass_repeats_the_rare_and_cuts_the_common():
    sampling = by_balance(LABELS, Balance(least=250, most=500), seed=3)
    rows = sampling.rows(0)
    assert np.bincount(LABELS[rows]).tolist() == [500, 250]
    assert sampling.count == len(rows) == 750
    assert np.bincount(rows[LABELS[rows] == 1]).max() == 3  # each rare picture two or three times
    assert not np.array_equal(rows, sampling.rows(1))


def drawn(folder: Path) -> list[Photo]:
    photos = [Photo(f"{grey}.png", "toys", "expert", "Trout", f"g{grey}") for grey in (10, 90, 200)]
    for photo in photos:
        Image.new("RGB", (20, 12), (int(Path(photo.path).stem),) * 3).save(folder / photo.path)
    return photos


def test_pictures_are_the_same_from_memory_and_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    photos, rows = drawn(tmp_path), np.array([2, 0])
    kept = pictures_of(photos, tmp_path, PREPROCESSING)
    monkeypatch.setattr(pictures, "MOST_BYTES", 100)
    read_again = pictures_of(photos, tmp_path, PREPROCESSING)
    assert isinstance(kept, InMemory)
    assert isinstance(read_again, OnDisk)
    np.testing.assert_array_equal(kept.take(rows), read_again.take(rows))
    assert kept.take(rows)[:, 0, 0, 0].tolist() == [200, 10]


def test_the_colour_behind_a_cut_out_fish_hangs_on_the_seed_of_the_training():
    pixels = np.full((2, 4, 4, 3), 50, dtype=np.uint8)
    cut = CutOut(InMemory(pixels), Cutouts({1: np.zeros((4, 4), dtype=np.uint8)}))
    rows = np.array([0, 1])
    torch.manual_seed(4)
    first, second = cut.take(rows), cut.take(rows)
    torch.manual_seed(4)
    np.testing.assert_array_equal(cut.take(rows), first)
    assert (first[0] == 50).all()
    assert not np.array_equal(first[1], second[1])
