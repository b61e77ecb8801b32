"""The background goes, the fish stays, and a stopped run finds its masks again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode
from tests.training.toy_segmentation import RedSession, write_red_finder
from training.background import Background, Cutouts, Segmenter, cut_out
from training.photos import Photo, read_all_pixels

PREPROCESSING = Preprocessing(
    width_px=32,
    height_px=32,
    resize_mode=ResizeMode.SQUASH,
    interpolation=Interpolation.BILINEAR,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)
ROWS = np.arange(8)


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    for i in range(8):
        picture = Image.new("RGB", (120, 80), "lightblue")
        ImageDraw.Draw(picture).ellipse([30, 20, 90, 60], fill="red")
        picture.save(tmp_path / f"{i}.png")
    return [Photo(f"{i}.png", "s", "expert", "Carp", str(i)) for i in range(8)]


def cut(photos: list[Photo], folder: Path, session: str | Segmenter, fraction: float = 1.0, seed: int = 7) -> Cutouts:
    background = Background(fraction, session)
    return cut_out(photos, folder, PREPROCESSING, background=background, seed=seed, cache=folder / "masks")


def composed(cutouts: Cutouts, photos: list[Photo], folder: Path, seed: int = 1) -> np.ndarray:
    return cutouts.composed(read_all_pixels(photos, folder, PREPROCESSING), ROWS, np.random.default_rng(seed))


@pytest.mark.parametrize("from_file", [True, False], ids=["network from a file", "session object"])
def test_the_fish_stays_and_the_background_goes(photos: list[Photo], tmp_path: Path, from_file: bool):
    session = f"file:{write_red_finder(tmp_path / 'red.onnx')}" if from_file else RedSession()
    pictures = composed(cut(photos, tmp_path, session), photos, tmp_path)
    assert (pictures[:, 16, 16] == [255, 0, 0]).all()
    corners = pictures[:, [0, 0, -1, -1], [0, -1, 0, -1]]  # (8, 4, 3)
    assert (corners == corners[:, :1]).all()
    assert len({tuple(corner) for corner in corners[:, 0].tolist()}) == 8
    assert not (corners[:, 0] == [173, 216, 230]).all(axis=1).any()


def test_the_colour_is_drawn_anew_each_time(photos: list[Photo], tmp_path: Path):
    cutouts = cut(photos, tmp_path, RedSession())
    first, again, other = (composed(cutouts, photos, tmp_path, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first[:, 0, 0] != other[:, 0, 0]).any(axis=1).all()


def test_only_the_fraction_loses_its_background_and_the_seed_says_which(photos: list[Photo], tmp_path: Path):
    chosen = {seed: set(cut(photos, tmp_path, RedSession(), 0.25, seed).masks) for seed in range(6)}
    assert all(len(rows) == 2 for rows in chosen.values())
    assert len({frozenset(rows) for rows in chosen.values()}) > 1
    assert set(cut(photos, tmp_path, RedSession(), 0.25, 0).masks) == chosen[0]


def test_other_pictures_and_the_given_ones_stay_as_they_are(photos: list[Photo], tmp_path: Path):
    pixels = read_all_pixels(photos, tmp_path, PREPROCESSING)
    before = pixels.copy()
    cutouts = cut(photos, tmp_path, RedSession(), 0.5)
    changed = cutouts.composed(pixels, ROWS, np.random.default_rng(1))
    assert (pixels == before).all()
    assert [row in cutouts.masks for row in ROWS] == (changed != before).any(axis=(1, 2, 3)).tolist()


def test_rows_are_those_of_the_photographs_not_of_the_batch(photos: list[Photo], tmp_path: Path):
    cutouts = cut(photos, tmp_path, RedSession(), 0.5)
    chosen = sorted(cutouts.masks)[0]
    pixels = read_all_pixels(photos[:1], tmp_path, PREPROCESSING)
    changed = cutouts.composed(pixels, np.array([chosen]), np.random.default_rng(1))
    assert (changed != pixels).any()


def test_masks_are_computed_once(photos: list[Photo], tmp_path: Path):
    first, second = RedSession(), RedSession()
    before = cut(photos, tmp_path, first, 0.5)
    after = cut(photos, tmp_path, second, 0.5)
    assert (first.asked, second.asked) == (4, 0)
    assert all((after.masks[row] == mask).all() for row, mask in before.masks.items())


def test_a_mask_of_another_picture_size_is_not_taken(photos: list[Photo], tmp_path: Path):
    cut(photos, tmp_path, RedSession())
    larger = PREPROCESSING.model_copy(update={"width_px": 48})
    background = Background(1.0, RedSession())
    masks = cut_out(photos, tmp_path, larger, background=background, seed=7, cache=tmp_path / "masks").masks
    assert masks[0].shape == (32, 48)


def test_all_masks_kept_need_no_session(photos: list[Photo], tmp_path: Path):
    name = f"file:{write_red_finder(tmp_path / 'red.onnx')}"
    cut(photos, tmp_path, name)
    (tmp_path / "red.onnx").unlink()
    assert len(cut(photos, tmp_path, name).masks) == 8


@pytest.mark.parametrize("colour", ["lightblue", "red"], ids=["nothing found", "everything found"])
def test_a_picture_with_a_useless_mask_stays_as_it_is(colour: str, tmp_path: Path):
    Image.new("RGB", (120, 80), colour).save(tmp_path / "a.png")
    cutouts = cut([Photo("a.png", "s", "expert", "Carp", "g")], tmp_path, RedSession())
    assert (dict(cutouts.masks), cutouts.useless) == ({}, 1)


def test_a_mask_without_contrast_breaks_nothing(tmp_path: Path):
    Image.new("RGB", (120, 80), "lightblue").save(tmp_path / "a.png")
    session = f"file:{write_red_finder(tmp_path / 'red.onnx')}"
    assert cut([Photo("a.png", "s", "expert", "Carp", "g")], tmp_path, session).useless == 1


def test_no_fraction_opens_no_session(photos: list[Photo], tmp_path: Path):
    assert dict(cut(photos, tmp_path, "file:absent.onnx", 0.0).masks) == {}


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_an_impossible_fraction_is_refused(fraction: float):
    with pytest.raises(ValueError, match=f"background of {fraction} of the pictures; allowed: 0 to 1"):
        Background(fraction)
