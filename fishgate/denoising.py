"""Filters that take noise from a scaled picture, the same in training and in serving.

Owns the record of the filter that a model was trained behind, and the four filters, computed by OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat

from fishgate.record import Record

Pixels = NDArray[np.uint8]

_BILATERAL_DIAMETER_PX = 9
_BILATERAL_SIGMA_LEVELS = 75.0
_BILATERAL_SIGMA_PX = 75.0
_GAUSSIAN_SIGMA_PX = 1.0
_NON_LOCAL_LEVELS = 10.0


class DenoisingMethod(str, Enum):
    """A filter that takes noise from a picture."""

    BILATERAL = "bilateral"  # the mean of near pixels of like colour: edges stay
    MEDIAN = "median"  # the middle value of the neighbourhood: single wrong pixels go
    GAUSSIAN = "gaussian"  # the weighted mean of the neighbourhood: edges blur
    NON_LOCAL_MEANS = "non_local_means"  # the mean of like patches further off: best and by far slowest


class Denoising(Record):
    """A filter that pictures go through after scaling, and how strong it is (1 is the filter's usual).

    ``strength`` multiplies, for bilateral, the difference of colour that still counts as alike (75 of 255,
    in a circle of 9 pixels); for median, the radius of the neighbourhood (1 pixel; rounded, at least 1);
    for Gaussian, the standard deviation (1 pixel); for non-local means, the noise that is
    expected (10 of 255; patches of 7 sought within 21 pixels).
    """

    method: DenoisingMethod = DenoisingMethod.BILATERAL
    strength: PositiveFloat = 1.0


def denoised(pixels: Pixels, denoising: Denoising) -> Pixels:
    """Return the picture, shape (height, width, 3), RGB, 0 to 255, with less noise and of the same shape."""
    return np.asarray(_FILTERS[denoising.method](pixels, denoising.strength), dtype=np.uint8)


@cache
def _opencv() -> Any:
    """Import OpenCV when the first picture is filtered, and keep its calls to one thread, process-wide.

    Those who filter many pictures do so side by side in their own share of the cores; threads of
    OpenCV's own, as many as there are cores for each call, would fight with them.
    """
    import cv2

    cv2.setNumThreads(1)
    return cv2


def _bilateral(pixels: Pixels, strength: float) -> Any:
    levels = _BILATERAL_SIGMA_LEVELS * strength
    return _opencv().bilateralFilter(pixels, _BILATERAL_DIAMETER_PX, levels, _BILATERAL_SIGMA_PX)


def _median(pixels: Pixels, strength: float) -> Any:
    return _opencv().medianBlur(pixels, 2 * max(1, round(strength)) + 1)


def _gaussian(pixels: Pixels, strength: float) -> Any:
    return _opencv().GaussianBlur(pixels, (0, 0), _GAUSSIAN_SIGMA_PX * strength)


def _non_local_means(pixels: Pixels, strength: float) -> Any:
    levels = _NON_LOCAL_LEVELS * strength
    blue_first = np.ascontiguousarray(pixels[:, :, ::-1])  # OpenCV's order, from which it goes to CIELAB
    filtered = _opencv().fastNlMeansDenoisingColored(blue_first, None, levels, levels, 7, 21)
    return np.ascontiguousarray(filtered[:, :, ::-1])


_FILTERS: dict[DenoisingMethod, Callable[[Pixels, float], Any]] = {
    DenoisingMethod.BILATERAL: _bilateral,
    DenoisingMethod.MEDIAN: _median,
    DenoisingMethod.GAUSSIAN: _gaussian,
    DenoisingMethod.NON_LOCAL_MEANS: _non_local_means,
}
