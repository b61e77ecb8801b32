"""How many pictures one file holds, where that can be had without decoding them.

Owns the walks along the frames of TIFF and GIF. Both stop at a given number: Pillow's own counts take
time without bound on a file that was made to do harm.
"""

from __future__ import annotations

from PIL import Image

_COLOUR_TABLE, _TABLE_SIZE = 0x80, 0x07
_EXTENSION, _FRAME, _END = 0x21, 0x2C, 0x3B


def has_more_frames(image: Image.Image, data: bytes, *, than: int) -> bool:
    """Tell whether the file ``data``, opened as ``image``, holds more frames than so many.

    What is broken behind the first frame counts as the end: nobody will look at it.
    """
    if image.format == "GIF":
        return _has_more_gif_frames(data, than)
    if image.format == "TIFF":
        return _can_seek(image, than)
    return int(getattr(image, "n_frames", 1)) > than  # stands in the header


def _can_seek(image: Image.Image, frame: int) -> bool:
    try:
        image.seek(frame)
    except Exception:  # EOFError at the end; anything at all where a later frame is damaged
        return False
    return True


def _has_more_gif_frames(data: bytes, than: int) -> bool:
    position, frames = 13 + _colour_table(data[10]), 0  # behind signature and screen descriptor
    try:
        while frames <= than and data[position] != _END:
            kind, position = data[position], position + 1
            if kind == _FRAME:
                frames += 1
                position = _after_blocks(data, position + 10 + _colour_table(data[position + 8]))
            elif kind == _EXTENSION:
                position = _after_blocks(data, position + 1)
    except IndexError:
        pass  # cut off
    return frames > than


def _colour_table(flags: int) -> int:
    """Return the bytes of the colour table of which these flags tell."""
    return 3 << ((flags & _TABLE_SIZE) + 1) if flags & _COLOUR_TABLE else 0


def _after_blocks(data: bytes, position: int) -> int:
    """Return where the chain of blocks, each led by its length, is at its end."""
    while length := data[position]:
        position += length + 1
    return position + 1
