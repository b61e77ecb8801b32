"""Draws the sample pictures of this folder, the same ones each time it is run.

They are drawings, so that the repository needs no photograph of anybody's: good for trying the
server, not for judging the models.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).resolve().parent
Colour = tuple[int, int, int]


def draw_fish(back: Colour, belly: Colour, fins: Colour, *, stripes: int, seed: int) -> Image.Image:
    """Return a fish swimming to the left, 640 × 480 pixels, RGB."""
    size = (1280, 960)
    picture = _water(size, seed)
    ImageDraw.Draw(picture).polygon(_TAIL, fill=fins)
    for fin in (_DORSAL_FIN, _ANAL_FIN):
        ImageDraw.Draw(picture).polygon(fin, fill=fins)
    body = Image.new("L", size, 0)
    ImageDraw.Draw(body).ellipse(_BODY, fill=255)
    picture.paste(_skin(size, back, belly, stripes, seed), mask=body.filter(ImageFilter.GaussianBlur(2)))
    _draw_face(ImageDraw.Draw(picture), fins)
    return picture.resize((640, 480), Image.Resampling.LANCZOS)


_BODY = (220, 300, 960, 680)
_TAIL = [(920, 490), (1150, 320), (1090, 490), (1150, 660)]
_DORSAL_FIN = [(420, 330), (560, 190), (800, 240), (860, 380)]
_ANAL_FIN = [(600, 660), (690, 780), (800, 620)]


def _water(size: tuple[int, int], seed: int) -> Image.Image:
    depth = np.linspace(0.0, 1.0, size[1])[:, None, None]
    light = np.array([150.0, 200.0, 215.0]) * (1 - depth) + np.array([30.0, 80.0, 110.0]) * depth
    grain = np.random.default_rng(seed).normal(0.0, 5.0, (size[1], size[0], 1))
    return Image.fromarray((light + grain).clip(0, 255).astype(np.uint8))


def _skin(size: tuple[int, int], back: Colour, belly: Colour, stripes: int, seed: int) -> Image.Image:
    height = np.clip((np.arange(size[1]) - _BODY[1]) / (_BODY[3] - _BODY[1]), 0.0, 1.0)[:, None, None]
    skin = np.array(back, float) * (1 - height) + np.array(belly, float) * height
    rows, columns = np.mgrid[: size[1], : size[0]]
    scales = np.sin(rows / 9.0) * np.sin((columns + rows % 36) / 9.0) * 10.0
    bands = (np.sin(columns / 740.0 * np.pi * 2 * stripes) > 0.55) * -45.0 if stripes else np.zeros_like(scales)
    grain = np.random.default_rng(seed + 1).normal(0.0, 4.0, scales.shape)
    return Image.fromarray((skin + (scales + bands + grain)[:, :, None]).clip(0, 255).astype(np.uint8))


def _draw_face(pen: ImageDraw.ImageDraw, fins: Colour) -> None:
    pen.ellipse((300, 420, 356, 476), fill=(245, 240, 220))
    pen.ellipse((312, 432, 342, 462), fill=(15, 15, 20))
    pen.arc((380, 370, 480, 620), 110, 250, fill=(40, 40, 40), width=5)
    pen.line([(224, 510), (275, 525)], fill=(40, 30, 30), width=6)
    pen.polygon([(500, 520), (640, 560), (520, 600)], fill=fins)


def draw_all(folder: Path) -> None:
    """Write all sample pictures into ``folder``."""
    samples = {
        "drawn_fish.jpg": draw_fish((92, 104, 96), (205, 205, 188), (88, 92, 90), stripes=4, seed=1),
        "drawn_goldfish.jpg": draw_fish((228, 110, 28), (250, 190, 90), (236, 130, 40), stripes=0, seed=2),
    }
    for name, sample in samples.items():
        sample.save(folder / name, quality=88)


if __name__ == "__main__":
    draw_all(HERE)
