"""Pictures side by side: what augmentation makes of the training pictures.

Owns the grid; which pictures are in it is the trainer's to say.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_COLUMNS = 8
_SIDE_PX = 120
_GAP_PX = 4


def augmented_grid(pictures: NDArray[np.uint8]) -> bytes:
    """Return a PNG of pictures (N, H, W, 3), RGB, 0 to 255, eight to a row, in the order given.

    Raises ValueError if there are none, or if they are not of that form.
    """
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3 or not len(pictures):
        raise ValueError(
            f"a grid needs at least one picture, of bytes and of shape (N, H, W, 3); "
            f"seen {pictures.dtype} of shape {pictures.shape}"
        )
    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    step = _SIDE_PX + _GAP_PX
    grid = Image.new("RGB", (columns * step - _GAP_PX, rows * step - _GAP_PX), "white")
    for number, pixels in enumerate(pictures):
        small = Image.fromarray(pixels).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BILINEAR)
        grid.paste(small, (number % columns * step, number // columns * step))
    return _png(grid)


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
