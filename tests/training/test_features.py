"""Features kept on disk: computed once, and never wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fishgate.preprocessing import Interpolation, Pixels, Preprocessing, ResizeMode
from training import features
from training.features import FeatureCache, Features
from training.photos import Photo

SMALL = Preprocessing(
    width_px=4,
    height_px=4,
    resize_mode=ResizeMode.SQUASH,
    interpolation=Interpolation.BILINEAR,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


@dataclass(frozen=True)
class MeanColour:
    """An encoder whose features are the mean colour, and which counts the pictures that it sees."""

    key: str = "one"
    preprocessing: Preprocessing = SMALL
    seen: list[int] = field(default_factory=list)

    def encode(self, batch: Sequence[Pixels]) -> Features:
        self.seen.append(len(batch))
        return np.stack([pixels.mean(axis=(0, 1)) for pixels in batch]).astype(np.float32)


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    for number in range(5):
        Image.new("RGB", (8, 8), (number, 0, 255)).save(tmp_path / f"{number}.png")
    return [Photo(f"{number}.png", "toy", "expert", "Trout", str(number)) for number in range(5)]


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache")


def test_features_come_in_the_order_of_the_photographs(photos: list[Photo], cache: FeatureCache, tmp_path: Path):
    found = cache.features(photos[::-1], tmp_path, MeanColour())
    assert found.dtype == np.float32
    assert found.tolist() == [[float(number), 0.0, 255.0] for number in (4, 3, 2, 1, 0)]


def test_a_second_time_nothing_is_encoded(photos: list[Photo], cache: FeatureCache, tmp_path: Path):
    first = cache.features(photos, tmp_path, MeanColour())
    encoder = MeanColour()
    assert np.array_equal(cache.features(photos, tmp_path, encoder), first)
    assert encoder.seen == []


def test_a_stopped_run_goes_on_with_the_parts_that_are_kept(
    photos: list[Photo], cache: FeatureCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(features, "PHOTOS_A_FILE", 2)
    cache.features(photos[:4], tmp_path, MeanColour())
    encoder = MeanColour()
    cache.features(photos, tmp_path, encoder)
    assert encoder.seen == [1]


CHANGES = {
    "other weights": lambda encoder: replace(encoder, key="two"),
    "other preprocessing": lambda encoder: replace(encoder, preprocessing=SMALL.model_copy(update={"width_px": 8})),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_encoder_has_its_own_features(change, photos: list[Photo], cache: FeatureCache, tmp_path: Path):
    cache.features(photos, tmp_path, MeanColour())
    other = change(MeanColour())
    cache.features(photos, tmp_path, other)
    assert sum(other.seen) == 5


def test_another_picture_under_the_same_name_is_encoded(photos: list[Photo], cache: FeatureCache, tmp_path: Path):
    cache.features(photos, tmp_path, MeanColour())
    Image.new("RGB", (8, 8), (99, 0, 0)).save(tmp_path / "0.png")
    assert cache.features(photos, tmp_path, MeanColour())[0].tolist() == [99.0, 0.0, 0.0]


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_damaged_file_is_told_and_made_again(
    keep: int, photos: list[Photo], cache: FeatureCache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    first = cache.features(photos, tmp_path, MeanColour())
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:keep])
    encoder = MeanColour()
    assert np.array_equal(cache.features(photos, tmp_path, encoder), first)
    assert sum(encoder.seen) == 5
    assert f"{file.name} is damaged" in capsys.readouterr().out
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".npy"]


def test_no_photographs_are_an_error(cache: FeatureCache, tmp_path: Path):
    with pytest.raises(ValueError, match="there are no photographs to encode"):
        cache.features([], tmp_path, MeanColour())
