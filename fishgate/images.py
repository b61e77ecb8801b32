"""From the bytes that a client sent to an upright RGB picture, or to a clear error.

Owns which formats are accepted, the limits on bytes and pixels, EXIF orientation and colour
modes. This is the one border where Pillow's errors become Fishgate's. It does not know what a
model wants; that is ``fishgate.preprocessing``.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from fishgate.errors import DamagedImage, EmptyImage, FishgateError, ImageTooLarge, UnsupportedImage
from fishgate.frames import has_more_frames

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
"""Pillow's names of the accepted formats; every other decoder stays closed to hostile bytes."""

FORMATS_TEXT = "JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF"

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_FULL_SCALE = {"I;16": 65535.0, "I;16B": 65535.0, "I;16L": 65535.0, "I;16N": 65535.0, "I": 65535.0}

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by the value of its EXIF orientation."""


@dataclass(frozen=True)
class ImageLimits:
    """How large a picture may be.

    120 megapixels lets the largest telephone cameras in (108 MP) and bounds what one picture can
    take of a worker's memory to about 1 GB while it is decoded. Only ``check_picture`` counts frames: the
    first is all that is ever decoded, but an animation of more is no photograph.
    """

    max_bytes: int = 25_000_000
    max_pixels: int = 120_000_000
    max_frames: int = 1_000


DEFAULT_LIMITS = ImageLimits()


def open_picture(data: bytes, *, limits: ImageLimits = DEFAULT_LIMITS, needed_px: int | None = None) -> Image.Image:
    """Decode a picture to mode RGB, upright, the first frame of an animation.

    ``needed_px`` is the longer side that the caller will scale to: a larger picture may then come
    back already reduced, never below twice that. Raises EmptyImage, UnsupportedImage,
    DamagedImage or ImageTooLarge, and nothing else.
    """
    _check_bytes(data, limits)
    with _translated():
        return _decoded(data, limits, needed_px)


def check_picture(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> None:
    """Refuse what ``open_picture`` would refuse for its header, without decoding it; also too many frames.

    Raises EmptyImage, UnsupportedImage, DamagedImage or ImageTooLarge. What passes can still be damaged
    further inside.
    """
    _check_bytes(data, limits)
    with _translated(), _opened(data) as image:
        _check_pixels(image, limits)
        if has_more_frames(image, data, than=limits.max_frames):
            raise ImageTooLarge(f"the picture has more than the {limits.max_frames:,} frames that are allowed")


def quieten_decoders() -> None:
    """Stop Pillow's warnings about bombs and odd metadata; our own limits and errors say it better."""
    warnings.filterwarnings("ignore", module="PIL")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FishgateError:
        raise
    except MemoryError:
        raise ImageTooLarge("the picture needs more memory than there is to decode it") from None
    except Exception as error:
        # Hostile bytes make Pillow's decoders raise nearly anything (struct.error, IndexError,
        # SyntaxError, zlib.error, …); whatever it is, it is this one picture that is damaged.
        raise DamagedImage(
            f"the picture is damaged or cut off and cannot be decoded ({type(error).__name__})"
        ) from error


def _check_bytes(data: bytes, limits: ImageLimits) -> None:
    if not data:
        raise EmptyImage(f"the picture is empty (0 bytes); send {FORMATS_TEXT}")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(f"the picture has {len(data):,} bytes; allowed are {limits.max_bytes:,}")


def _check_pixels(image: Image.Image, limits: ImageLimits) -> None:
    width_px, height_px = image.size
    if width_px * height_px > limits.max_pixels:
        seen = f"{width_px} × {height_px} pixels"
        raise ImageTooLarge(f"the picture has {seen}; allowed are {limits.max_pixels:,} in all")


def _decoded(data: bytes, limits: ImageLimits, needed_px: int | None) -> Image.Image:
    with _opened(data) as image:
        _check_pixels(image, limits)
        if needed_px:
            # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size for a fraction of the work.
            image.draft(None, (2 * needed_px, 2 * needed_px))
        image.load()
        turn = _turn_upright(image)
        picture = _to_rgb(_reduced(image, needed_px))
        # `is None`, because the value of FLIP_LEFT_RIGHT is 0.
        return picture if turn is None else picture.transpose(turn)


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        if data.startswith(_SIGNATURES) or data[8:12] in (b"WEBP", b"avif"):
            raise DamagedImage("the picture's header is damaged and cannot be read") from None
        raise UnsupportedImage(f"these bytes are no picture of an accepted format; send {FORMATS_TEXT}") from None
    except Image.DecompressionBombError:
        raise ImageTooLarge("the picture has far more pixels than are allowed") from None


def _reduced(image: Image.Image, needed_px: int | None) -> Image.Image:
    if not needed_px or image.mode not in ("L", "RGB", "RGBA", "CMYK"):
        return image
    factor = min(image.size) // (2 * needed_px)
    return image.reduce(factor) if factor >= 2 else image


def _turn_upright(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken metadata must not lose a picture whose pixels are good
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode in _FULL_SCALE or image.mode == "F":
        return _from_deep_grey(image)
    if image.mode == "LAB":
        return _from_lab(image)
    if image.has_transparency_data:
        return _on_white(image)
    return image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Scale 16- and 32-bit grey to 8 bits, which Pillow's own conversion would clip to white."""
    grey = np.nan_to_num(np.asarray(image, dtype=np.float64))
    full_scale = _FULL_SCALE.get(image.mode, 1.0)
    if image.mode in ("I", "F") and (grey.max() > full_scale or grey.min() < 0):
        grey, full_scale = grey - grey.min(), float(np.ptp(grey)) or 1.0
    return Image.fromarray((grey / full_scale * 255.0).round().astype(np.uint8)).convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return cast(Image.Image, ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB"))


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on white: what is behind the mask is often black rubbish."""
    picture = image.convert("RGBA")
    background = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(background, picture).convert("RGB")
