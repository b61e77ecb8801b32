"""Frames are counted without decoding them, and never further than needed."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from fishgate.frames import has_more_frames
from tests.conftest import encoded

LOSSLESS: dict[str, dict[str, Any]] = {"GIF": {}, "TIFF": {}, "WEBP": {"lossless": True}, "PNG": {}}


def film(form: str, frames: int) -> bytes:
    """An animation of so many frames, all different, so that none is left out."""
    pictures = [Image.effect_noise((16, 12), 50 + number).convert("RGB") for number in range(frames)]
    return encoded(pictures[0], form, save_all=True, append_images=pictures[1:], **LOSSLESS[form])


def has_more(data: bytes, than: int) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        return has_more_frames(image, data, than=than)


@pytest.mark.parametrize("form", LOSSLESS)
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_frames_are_counted(form: str, frames: int) -> None:
    data = film(form, frames)
    assert [has_more(data, than) for than in (frames - 1, frames, frames + 1) if than] == (
        [False, False] if frames == 1 else [True, False, False]
    )


def test_a_picture_without_frames_has_one(red_64x48_jpeg: bytes) -> None:
    assert not has_more(red_64x48_jpeg, 1)


@pytest.mark.parametrize("form", ["GIF", "TIFF"])
def test_what_is_broken_behind_the_first_frame_counts_as_the_end(form: str) -> None:
    data = film(form, 3)
    whole, cut = has_more(data, 2), has_more(data[: len(data) * 3 // 5], 2)
    assert (whole, cut) == (True, False)


def test_a_gif_with_colour_tables_and_comments_is_walked() -> None:
    pictures = [Image.effect_noise((16, 12), 50 + number).convert("P") for number in range(4)]
    data = encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:], comment=b"a" * 700, loop=0)
    assert [has_more(data, than) for than in (3, 4)] == [True, False]


def test_a_tiff_whose_frames_run_in_a_circle_ends() -> None:
    data = bytearray(film("TIFF", 2))
    first = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[first : first + 2], "little")
    next_at = first + 2 + 12 * entries
    data[next_at : next_at + 4] = data[4:8]  # the first frame is its own successor
    assert not has_more(bytes(data), 1)
