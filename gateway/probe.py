"""The picture with which the gateway tries whether both models answer.

Owns the drawing: a fish of few strokes, always the same.
"""

from __future__ import annotations

import io
from functools import cache

from PIL import Image, ImageDraw


@cache
def drawn_picture() -> bytes:
    """Return the drawing as a PNG file."""
    picture = Image.new("RGB", (96, 64), "lightskyblue")
    draw = ImageDraw.Draw(picture)
    draw.polygon([(66, 32), (90, 16), (90, 48)], fill="darkorange")  # the tail
    draw.ellipse((10, 14, 74, 50), fill="orange")
    draw.ellipse((22, 26, 28, 32), fill="black")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
