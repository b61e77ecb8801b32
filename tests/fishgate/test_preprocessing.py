"""A picture is scaled and normalised as the record says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from fishgate.denoising import Denoising, DenoisingMethod, denoised
from fishgate.preprocessing import Preprocessing, normalise, to_pixels

IMAGENET: dict[str, Any] = {
    "width_px": 40,
    "height_px": 20,
    "resize_mode": "squash",
    "interpolation": "bilinear",
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}

WRONG = {
    "no width": ({"width_px": 0}, "width_px"),
    "std 0": ({"std": (0.2, 0.0, 0.2)}, "std"),
    "two channels": ({"mean": (0.5, 0.5)}, "mean"),
    "unknown mode": ({"resize_mode": "stretch"}, "'squash' or 'crop'"),
    "unknown interpolation": ({"interpolation": "nearest"}, "'bilinear' or 'bicubic'"),
    "unknown filter": ({"denoising": {"method": "wavelet"}}, "'bilateral', 'median', 'gaussian' or 'non_local_means'"),
    "no strength": ({"denoising": {"method": "median", "strength": 0}}, "denoising.strength"),
    "unknown key": ({"size": 224}, "Extra inputs"),
}


def preprocessing(**changes: Any) -> Preprocessing:
    return Preprocessing.model_validate({**IMAGENET, **changes})


def red_with_blue_ends() -> Image.Image:
    """80 × 20 pixels: the middle half red, a quarter at each end blue."""
    image = Image.new("RGB", (80, 20), "blue")
    image.paste("red", (20, 0, 60, 20))
    return image


def test_squash_keeps_the_ends_of_the_picture() -> None:
    pixels = to_pixels(red_with_blue_ends(), preprocessing())
    assert pixels.shape == (20, 40, 3)
    assert pixels.dtype == np.uint8
    assert tuple(pixels[10, 2]) == (0, 0, 255)
    assert tuple(pixels[10, 20]) == (255, 0, 0)


def test_crop_cuts_the_ends_off() -> None:
    pixels = to_pixels(red_with_blue_ends(), preprocessing(resize_mode="crop"))
    assert pixels.shape == (20, 40, 3)
    assert (pixels == (255, 0, 0)).all()


@pytest.mark.parametrize("resize_mode", ["squash", "crop"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7), (40, 20)], ids=str)
def test_a_picture_of_any_shape_gets_the_models_shape(
    size: tuple[int, int], interpolation: str, resize_mode: str
) -> None:
    wanted = preprocessing(interpolation=interpolation, resize_mode=resize_mode)
    assert to_pixels(Image.new("RGB", size, "teal"), wanted).shape == (20, 40, 3)


@pytest.mark.parametrize("resize_mode", ["squash", "crop"])
def test_noise_is_taken_out_after_scaling_where_the_record_says_so(resize_mode: str) -> None:
    image = Image.effect_noise((80, 60), 40).convert("RGB")
    scaled = to_pixels(image, preprocessing(resize_mode=resize_mode))
    filtered = to_pixels(image, preprocessing(resize_mode=resize_mode, denoising={"method": "median", "strength": 2}))
    wanted = denoised(scaled, Denoising(method=DenoisingMethod.MEDIAN, strength=2.0))
    np.testing.assert_array_equal(filtered, wanted)
    assert filtered.std() < scaled.std()


def test_the_longer_side_is_what_is_needed() -> None:
    assert preprocessing().needed_px == 40


def test_normalised_values_are_those_computed_by_hand() -> None:
    pixels = np.zeros((20, 40, 3), dtype=np.uint8)
    pixels[3, 5] = (255, 51, 0)
    batch = normalise([pixels, pixels], preprocessing())
    assert batch.shape == (2, 3, 20, 40)
    assert batch.dtype == torch.float32
    expected = [(1.0 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (0.0 - 0.406) / 0.225]
    assert batch[1, :, 3, 5].tolist() == pytest.approx(expected, abs=1e-5)
    assert batch[0, 0, 0, 0].item() == pytest.approx(-0.485 / 0.229, abs=1e-5)


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_record_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        preprocessing(**changes)
