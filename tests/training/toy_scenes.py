"""Drawn pictures of which no two are alike, and the ways in which data sets hold a picture twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

SIZE_PX = (160, 120)


def draw_scene(seed: int) -> Image.Image:
    """Draw coloured blots, others for each seed; as fine as the hash looks, else its bits would be chance."""
    blots = np.random.default_rng(seed).integers(0, 256, size=(18, 24, 3), dtype=np.uint8)
    return Image.fromarray(blots).resize(SIZE_PX, Image.Resampling.BICUBIC)


def save_scene(seed: int, file: Path) -> Path:
    """Draw a scene to a file, whose folder is made."""
    return save(draw_scene(seed), file)


def save(picture: Image.Image, file: Path, quality: int = 90) -> Path:
    """Write a picture in the form that the file's name says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file, quality=quality)
    return file


ALTERATIONS = {
    "encoded again": lambda picture: picture,  # always saved as a poor JPEG
    "smaller": lambda picture: picture.resize((80, 60)),
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned by 90 degrees": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "turned by 37 degrees": lambda picture: picture.resize((160, 160)).rotate(37, Image.Resampling.BICUBIC),
    "mirrored and turned by 45 degrees": lambda picture: (
        picture.resize((160, 160)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(45, Image.Resampling.BICUBIC)
    ),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
    "without colour": lambda picture: picture.convert("L"),
}
"""What makes a near-duplicate of a picture, by name."""
