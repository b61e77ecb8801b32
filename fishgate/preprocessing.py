"""From an RGB picture to what a model eats, the same in training and in serving.

Owns the record of a model's preprocessing and the two steps that follow it: scaling one picture
to pixels, with the filter against noise if there is one, and normalising a batch of them. It does
not know models or file formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import Field, PositiveFloat

from fishgate.denoising import Denoising as Denoising
from fishgate.denoising import denoised
from fishgate.record import Record

if TYPE_CHECKING:
    import torch

Pixels = NDArray[np.uint8]
"""One scaled picture: shape (height, width, 3), RGB, 0 to 255."""


class ResizeMode(str, Enum):
    """How a picture of any shape becomes one of the model's shape."""

    SQUASH = "squash"  # scaled to the shape, its aspect ratio given up, nothing cut off
    CROP = "crop"  # scaled until it covers the shape, then cut at the centre


class Interpolation(str, Enum):
    """How new pixels are made from old ones; always with antialiasing."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


_RESAMPLING = {
    Interpolation.BILINEAR: Image.Resampling.BILINEAR,
    Interpolation.BICUBIC: Image.Resampling.BICUBIC,
}


class Preprocessing(Record):
    """What a model expects: its picture size, the mean and standard deviation of the channels
    red, green, blue of its training pictures, on a scale from 0 to 1, and the filter against noise,
    if any, that it was trained behind."""

    width_px: int = Field(ge=1, le=4096)
    height_px: int = Field(ge=1, le=4096)
    resize_mode: ResizeMode
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    denoising: Denoising | None = None

    @property
    def needed_px(self) -> int:
        """The longer side of the model's picture."""
        return max(self.width_px, self.height_px)


def to_pixels(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """Scale an RGB picture to the model's size, and take the noise out where the model wants that."""
    pixels = _scaled(image, preprocessing)
    return pixels if preprocessing.denoising is None else denoised(pixels, preprocessing.denoising)


def _scaled(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    size = (preprocessing.width_px, preprocessing.height_px)
    resampling = _RESAMPLING[preprocessing.interpolation]
    if preprocessing.resize_mode is ResizeMode.CROP:
        return np.array(ImageOps.fit(image, size, method=resampling))
    return np.array(image.resize(size, resampling))


def normalise(
    batch: Sequence[Pixels], preprocessing: Preprocessing, *, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Stack pictures to one float32 tensor of shape (batch, 3, height, width) on ``device``."""
    import torch

    # Bytes travel to the device, floats are made there: a quarter of the traffic.
    stacked = torch.from_numpy(np.stack(batch)).to(device).permute(0, 3, 1, 2)  # (B, 3, H, W)
    mean = torch.tensor(preprocessing.mean, device=device).view(1, 3, 1, 1) * 255.0
    std = torch.tensor(preprocessing.std, device=device).view(1, 3, 1, 1) * 255.0
    return (stacked.float() - mean) / std
