"""Each filter takes noise from a drawn picture, and the one that keeps edges keeps them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fishgate.denoising import Denoising, DenoisingMethod, Pixels, denoised
from tests.conftest import ROOT

EDGE = 32  # the column where the left colour ends
LEFT, RIGHT = (200, 120, 40), (30, 60, 160)


def drawn() -> Pixels:
    """64 × 48 pixels of two colours, with a sharp edge between them."""
    image = Image.new("RGB", (64, 48), RIGHT)
    image.paste(LEFT, (0, 0, EDGE, 48))
    return np.array(image)


def noisy(sigma: float = 12.0) -> Pixels:
    """The same, with normal noise on each channel."""
    noise = np.random.default_rng(8).normal(0.0, sigma, drawn().shape)
    return np.clip(drawn() + noise, 0, 255).astype(np.uint8)


def filtered(method: DenoisingMethod, strength: float = 1.0) -> Pixels:
    return denoised(noisy(), Denoising(method=method, strength=strength))


def noise_in(pixels: Pixels) -> float:
    """The mean deviation from the drawn picture, away from the edge and the border."""
    difference = np.abs(pixels.astype(float) - drawn())
    return float(np.concatenate([difference[6:-6, 6 : EDGE - 6], difference[6:-6, EDGE + 6 : -6]], axis=1).mean())


def blur_of(pixels: Pixels) -> float:
    """The mean deviation from the drawn picture in the two columns beside the edge."""
    return float(np.abs(pixels.astype(float) - drawn())[6:-6, EDGE - 1 : EDGE + 1].mean())


@pytest.mark.parametrize("method", DenoisingMethod, ids=lambda method: method.value)
def test_a_filter_halves_the_noise_and_keeps_shape_and_colours(method: DenoisingMethod) -> None:
    pixels = filtered(method)
    assert (pixels.shape, pixels.dtype) == ((48, 64, 3), np.uint8)
    assert noise_in(pixels) < 0.5 * noise_in(noisy())
    assert np.abs(pixels[6:-6, 6:20].mean(axis=(0, 1)) - LEFT).max() < 4.0
    assert np.abs(pixels[6:-6, 44:58].mean(axis=(0, 1)) - RIGHT).max() < 4.0


@pytest.mark.parametrize("method", [DenoisingMethod.BILATERAL, DenoisingMethod.NON_LOCAL_MEANS], ids=lambda m: m.value)
def test_edges_are_kept_better_than_by_gaussian(method: DenoisingMethod) -> None:
    assert blur_of(filtered(method)) < 0.5 * blur_of(filtered(DenoisingMethod.GAUSSIAN))


@pytest.mark.parametrize("method", DenoisingMethod, ids=lambda method: method.value)
def test_a_stronger_filter_takes_more_noise(method: DenoisingMethod) -> None:
    assert noise_in(filtered(method, 2.0)) < noise_in(filtered(method, 0.5))


@pytest.mark.parametrize("method", DenoisingMethod, ids=lambda method: method.value)
def test_a_filter_leaves_the_picture_it_was_given_alone(method: DenoisingMethod) -> None:
    pixels = noisy()
    denoised(pixels, Denoising(method=method))
    np.testing.assert_array_equal(pixels, noisy())


@pytest.mark.parametrize("method", DenoisingMethod, ids=lambda method: method.value)
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 2)], ids=str)
def test_a_picture_of_few_pixels_is_filtered_too(method: DenoisingMethod, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 90, dtype=np.uint8)
    seen = denoised(pixels, Denoising(method=method))
    assert seen.shape == pixels.shape
    np.testing.assert_allclose(seen.astype(int), 90, atol=1)  # to CIELAB and back rounds


def test_a_single_wrong_pixel_is_gone_after_median() -> None:
    pixels = drawn()
    pixels[20, 10] = (255, 255, 255)
    np.testing.assert_array_equal(denoised(pixels, Denoising(method=DenoisingMethod.MEDIAN)), drawn())


def test_opencv_is_imported_with_the_first_picture_and_keeps_to_one_thread() -> None:
    code = (
        "import sys, numpy; from fishgate.denoising import Denoising, denoised; before = 'cv2' in sys.modules; "
        "denoised(numpy.zeros((9, 9, 3), numpy.uint8), Denoising()); import cv2; print(before, cv2.getNumThreads())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "1"], done.stderr
