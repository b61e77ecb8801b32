"""The grid of augmented pictures shows all of them, in order, and refuses what is no picture."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from training.report.samples import augmented_grid

COLOURS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250]], dtype=np.uint8)


def plain(count: int) -> np.ndarray:
    """Pictures of one colour each, in turn."""
    return np.broadcast_to(COLOURS[np.arange(count) % 3][:, None, None], (count, 20, 30, 3)).copy()


@pytest.mark.parametrize(
    ("count", "size"), [(1, (120, 120)), (3, (368, 120)), (8, (988, 120)), (9, (988, 244))], ids=str
)
def test_eight_stand_in_a_row(count: int, size: tuple[int, int]):
    assert Image.open(BytesIO(augmented_grid(plain(count)))).size == size


def test_the_order_is_kept_from_row_to_row():
    grid = Image.open(BytesIO(augmented_grid(plain(10)))).convert("RGB")
    centres = [grid.getpixel((60 + 124 * (number % 8), 60 + 124 * (number // 8))) for number in range(10)]
    assert centres == [tuple(COLOURS[number % 3].tolist()) for number in range(10)]


@pytest.mark.parametrize(
    "pictures",
    [np.zeros((0, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 3), np.float32), np.zeros((2, 3, 8, 8), np.uint8)],
    ids=["none", "floats", "channels first"],
)
def test_what_is_no_picture_is_refused(pictures: np.ndarray):
    with pytest.raises(ValueError, match="a grid needs at least one picture, of bytes and of shape"):
        augmented_grid(pictures)
