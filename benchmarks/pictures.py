"""Drawn pictures to send: with the texture of photographs, bright, dark and broken ones."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.load import Body

PHOTO_PX = (640, 480)
SMALL_PX = (160, 120)
BRIGHT, DARK = 190.0, 50.0


def photograph(seed: int, *, size_px: tuple[int, int] = PHOTO_PX, brightness: float = 120.0) -> bytes:
    """Return a JPEG with detail of all sizes, as photographs have, so that decoding it costs as much."""
    picture = np.clip(brightness + _texture(np.random.default_rng(seed), size_px), 0, 255).astype(np.uint8)
    return _encoded(picture)


def photographs(count: int, *, size_px: tuple[int, int] = PHOTO_PX) -> list[bytes]:
    """Return ``count`` different pictures."""
    return [photograph(seed, size_px=size_px) for seed in range(count)]


def bright_picture() -> bytes:
    """Return a small picture of which the paced expert is sure."""
    return photograph(1, size_px=SMALL_PX, brightness=BRIGHT)


def dark_picture() -> bytes:
    """Return a small picture of which the paced expert is unsure."""
    return photograph(2, size_px=SMALL_PX, brightness=DARK)


def write_all(pictures: list[bytes], folder: Path) -> None:
    """Write pictures into a folder, for another process to read."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(pictures):
        (folder / f"{index:04}.jpg").write_bytes(picture)


def read_all(folder: Path) -> list[bytes]:
    """Read back what ``write_all`` wrote."""
    return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]


@dataclass(frozen=True)
class BadRequest:
    """A request that must fail, and the code word that it must be answered with."""

    name: str
    body: Body
    code: str


def bad_requests() -> tuple[BadRequest, ...]:
    """Return bad pictures of several kinds, and good ones with wrong options."""
    good = bright_picture()
    return (
        BadRequest("empty", {"data": b""}, "empty_image"),
        BadRequest("text", b"this is no picture at all", "unsupported_image"),
        BadRequest("cut_off", good[: len(good) // 2], "damaged_image"),
        BadRequest("damaged_header", good[:12] + b"\x00" * 200, "damaged_image"),
        BadRequest("too_many_pixels", _huge(), "image_too_large"),
        BadRequest("unknown_option", {"data": good, "colour": "blue"}, "invalid_option"),
        BadRequest("wrong_top_k", {"data": good, "top_k": "0"}, "invalid_option"),
        BadRequest("wrong_threshold", {"data": good, "threshold": "1.5"}, "invalid_option"),
        BadRequest("wrong_labels", {"data": good, "labels": "[1"}, "invalid_option"),
    )


def _texture(rng: np.random.Generator, size_px: tuple[int, int]) -> NDArray[np.float32]:
    """Add noise of five scales, the finer the weaker; shape (height, width, 3)."""
    total = np.zeros((size_px[1], size_px[0], 3), dtype=np.float32)
    for cells, strength in ((4, 25.0), (12, 18.0), (40, 12.0), (120, 8.0), (300, 5.0)):
        coarse = rng.uniform(0, 255, (cells * 3 // 4, cells, 3)).astype(np.uint8)
        smooth = Image.fromarray(coarse).resize(size_px, Image.Resampling.BICUBIC)
        total += (np.asarray(smooth, dtype=np.float32) - 127.5) * (strength / 73.6)  # 73.6: their deviation
    return total


def _huge() -> bytes:
    """Return a small file that decodes to more pixels than are allowed (120 million)."""
    buffer = io.BytesIO()
    Image.new("1", (13_000, 10_000)).save(buffer, "PNG")
    return buffer.getvalue()


def _encoded(picture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
