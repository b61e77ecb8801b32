"""Pictures of every kind become upright RGB, or a clear error."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw

from fishgate.errors import DamagedImage, EmptyImage, ImageTooLarge, UnsupportedImage
from fishgate.images import DEFAULT_LIMITS, FORMATS_TEXT, ImageLimits, check_picture, open_picture, quieten_decoders
from tests.conftest import encoded

RED, GREY, WHITE, BLACK = (255, 0, 0), (128, 128, 128), (255, 255, 255), (0, 0, 0)

PLAIN = {
    "1": ("1", 1, "PNG", WHITE),
    "L": ("L", 128, "PNG", GREY),
    "LA opaque": ("LA", (128, 255), "PNG", GREY),
    "LA transparent": ("LA", (0, 0), "PNG", WHITE),
    "RGB": ("RGB", RED, "BMP", RED),
    "RGBA opaque": ("RGBA", (*RED, 255), "PNG", RED),
    "RGBA transparent": ("RGBA", (*RED, 0), "PNG", WHITE),
    "RGBA half transparent": ("RGBA", (*BLACK, 127), "WEBP", GREY),
    "CMYK TIFF": ("CMYK", (0, 255, 255, 0), "TIFF", RED),
    "CMYK JPEG": ("CMYK", (0, 255, 255, 0), "JPEG", RED),
    "I;16 PNG": ("I;16", 32768, "PNG", GREY),
    "I;16 TIFF": ("I;16", 65535, "TIFF", WHITE),
    "I": ("I", 32768, "TIFF", GREY),
    "F": ("F", 0.5, "TIFF", GREY),
    "LAB": ("LAB", (128, 128, 128), "TIFF", (119, 119, 119)),
    "AVIF": ("RGB", RED, "AVIF", RED),
}

EXIF_STORED = {  # how a camera stores an upright picture (rows, columns, channels) under each orientation
    1: lambda rows: rows,
    2: lambda rows: rows[:, ::-1],
    3: lambda rows: rows[::-1, ::-1],
    4: lambda rows: rows[::-1],
    5: lambda rows: rows.transpose(1, 0, 2),
    6: lambda rows: np.rot90(rows),
    7: lambda rows: rows.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda rows: np.rot90(rows, -1),
}

UNREADABLE = {
    "text": (b"Dear sir, please find my fish enclosed. " * 9, UnsupportedImage, "no picture of an accepted format"),
    "one byte": (b"\0", UnsupportedImage, FORMATS_TEXT),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', UnsupportedImage, "no picture of an accepted format"),
    "JPEG's first bytes": (b"\xff\xd8\xff\xe0", DamagedImage, "header is damaged"),
    "text after JPEG's first bytes": (b"\xff\xd8\xff\xe0 this is no JPEG", DamagedImage, "damaged"),
    "PNG's first bytes": (b"\x89PNG\r\n\x1a\n", DamagedImage, "header is damaged"),
    "WebP's first bytes": (b"RIFF\x10\0\0\0WEBPVP8 ", DamagedImage, "damaged"),
    "TIFF's first bytes": (b"II*\0\x08\0\0\0", DamagedImage, "damaged"),
    "GIF's first bytes": (b"GIF89a", DamagedImage, "damaged"),
}


def fish_picture(width_px: int = 64, height_px: int = 48) -> Image.Image:
    """A picture that looks different however it is turned: a red corner, a blue edge, a green spot."""
    image = Image.new("RGB", (width_px, height_px), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width_px // 2, height_px // 3), fill="red")
    draw.rectangle((width_px - width_px // 4, 0, width_px, height_px), fill="blue")
    draw.ellipse((width_px // 8, height_px // 2, width_px // 2, height_px - 4), fill="green")
    return image


def png_header(width_px: int, height_px: int) -> bytes:
    """A PNG that says how large it is and holds no pixels at all."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    data = b"IDAT"
    parts = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (chunk, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures of the same size, on a scale to 255."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


@pytest.mark.parametrize(("mode", "colour", "form", "expected"), PLAIN.values(), ids=PLAIN)
def test_every_colour_mode_becomes_rgb(mode: str, colour: Any, form: str, expected: tuple[int, ...]) -> None:
    picture = open_picture(encoded(Image.new(mode, (8, 6), colour), form))
    assert (picture.mode, picture.size) == ("RGB", (8, 6))
    assert picture.getpixel((4, 3)) == pytest.approx(expected, abs=4)


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "TIFF"])
def test_a_palette_picture_keeps_its_colours(form: str) -> None:
    picture = open_picture(encoded(fish_picture().quantize(8), form))
    assert difference(picture, fish_picture()) < 3


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_transparent_palette_colour_becomes_white(form: str) -> None:
    image = Image.new("P", (8, 6), 1)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 2)
    picture = open_picture(encoded(image, form, transparency=1))
    assert picture.getpixel((4, 3)) == WHITE
    assert picture.getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_colour_of_a_png_without_alpha_becomes_white(mode: str) -> None:
    key = (10, 20, 30) if mode == "RGB" else 10
    data = encoded(Image.new(mode, (8, 6), key), "PNG", transparency=key)
    assert open_picture(data).getpixel((4, 3)) == (WHITE if mode == "L" else (10, 20, 30))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_grey_values_of_unknown_scale_are_spread_over_all_greys(mode: str) -> None:
    ramp = np.linspace(-1000, 100_000, 64).reshape(8, 8).astype(np.int32 if mode == "I" else np.float32)
    grey = np.asarray(open_picture(encoded(Image.fromarray(ramp), "TIFF")))[..., 0]
    assert (grey.min(), grey.max()) == (0, 255)
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()


def test_grey_values_that_are_not_a_number_do_no_harm() -> None:
    values = np.full((4, 4), np.nan, dtype=np.float32)
    assert open_picture(encoded(Image.fromarray(values), "TIFF")).mode == "RGB"


@pytest.mark.parametrize("orientation", EXIF_STORED)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_picture_comes_upright_whatever_its_exif_orientation(form: str, orientation: int) -> None:
    upright = fish_picture()
    stored = Image.fromarray(np.ascontiguousarray(EXIF_STORED[orientation](np.asarray(upright))))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {} if form == "TIFF" else {"quality": 95}
    picture = open_picture(encoded(stored, form, exif=exif, **options))
    assert picture.size == upright.size
    assert difference(picture, upright) < 6


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_animation_is_identified_by_its_first_frame(form: str) -> None:
    frames = [Image.new("RGB", (16, 12), colour) for colour in ("red", "lime", "blue")]
    picture = open_picture(encoded(frames[0], form, save_all=True, append_images=frames[1:]))
    assert picture.getpixel((8, 6)) == pytest.approx(RED, abs=4)


def test_a_picture_of_one_pixel_is_opened(blue_1x1_png: bytes) -> None:
    assert open_picture(blue_1x1_png, needed_px=224).getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_large_picture_comes_reduced_and_looks_the_same(form: str) -> None:
    data = encoded(fish_picture(1600, 1200), form)
    whole, reduced = open_picture(data), open_picture(data, needed_px=64)
    assert whole.size == (1600, 1200)
    assert 128 <= min(reduced.size) < 300
    assert difference(reduced.resize((64, 64), 2), whole.resize((64, 64), 2)) < 2


def test_a_long_narrow_picture_is_not_reduced_below_what_is_needed() -> None:
    picture = open_picture(encoded(Image.new("RGB", (4000, 100)), "PNG"), needed_px=64)
    assert picture.size == (4000, 100)


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(EmptyImage, match=r"empty \(0 bytes\); send JPEG, PNG"):
        open_picture(b"")


@pytest.mark.parametrize(("data", "error", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_picture_is_refused(data: bytes, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        open_picture(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_picture_that_is_cut_off_is_damaged(form: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, form)
    quieten_decoders()
    with pytest.raises(DamagedImage, match="damaged"):
        open_picture(data[: len(data) // 2])


def test_too_many_bytes_are_refused_with_the_limit() -> None:
    with pytest.raises(ImageTooLarge, match="has 11 bytes; allowed are 10"):
        open_picture(b"x" * 11, limits=ImageLimits(max_bytes=10))
    with pytest.raises(ImageTooLarge, match="allowed are 25,000,000"):
        open_picture(bytes(DEFAULT_LIMITS.max_bytes + 1))


def test_too_many_pixels_are_refused_before_any_is_decoded() -> None:
    with pytest.raises(ImageTooLarge, match="11 × 10 pixels; allowed are 100 in all"):
        open_picture(png_header(11, 10), limits=ImageLimits(max_pixels=100))
    with pytest.raises(DamagedImage):  # the same bytes, once decoding is tried
        open_picture(png_header(11, 10))


@pytest.mark.parametrize("side_px", [11_000, 20_000, 2**31 - 1])
def test_a_bomb_is_refused_from_its_header(side_px: int) -> None:
    quieten_decoders()
    with pytest.raises(ImageTooLarge, match="pixels"):
        open_picture(png_header(side_px, side_px))


def test_broken_metadata_do_not_lose_the_picture() -> None:
    data = encoded(fish_picture(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff garbage")
    quieten_decoders()
    assert open_picture(data).size == (64, 48)


@pytest.mark.parametrize(("data", "error", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_the_check_refuses_what_no_decoder_can_begin_with(data: bytes, error: type[Exception], message: str) -> None:
    try:
        check_picture(data)
    except error as found:
        assert message in str(found)
    else:  # a header that can be read, and damage behind it
        with pytest.raises(error):
            open_picture(data)


@pytest.mark.parametrize(("mode", "colour", "form", "seen"), PLAIN.values(), ids=PLAIN)
def test_the_check_lets_every_accepted_kind_pass(mode: str, colour: Any, form: str, seen: object) -> None:
    check_picture(encoded(Image.new(mode, (6, 4), colour), form))


CHECKED = {
    "empty": (b"", ImageLimits(), EmptyImage, "0 bytes"),
    "bytes": (b"x" * 11, ImageLimits(max_bytes=10), ImageTooLarge, "11 bytes; allowed are 10"),
}


@pytest.mark.parametrize(("data", "limits", "error", "message"), CHECKED.values(), ids=CHECKED)
def test_the_check_and_the_decoder_refuse_alike(
    data: bytes, limits: ImageLimits, error: type[Exception], message: str
) -> None:
    for look in (lambda: check_picture(data, limits), lambda: open_picture(data, limits=limits)):
        with pytest.raises(error, match=message):
            look()


def test_the_check_counts_pixels(red_64x48_jpeg: bytes) -> None:
    check_picture(red_64x48_jpeg, ImageLimits(max_pixels=64 * 48))
    with pytest.raises(ImageTooLarge, match="64 × 48 pixels; allowed are 3,071 in all"):
        check_picture(red_64x48_jpeg, ImageLimits(max_pixels=64 * 48 - 1))


def test_the_check_counts_frames() -> None:
    frames = [Image.new("RGB", (6, 4), (number, 0, 0)) for number in range(4)]
    film = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    check_picture(film, ImageLimits(max_frames=4))
    with pytest.raises(ImageTooLarge, match="more than the 3 frames that are allowed"):
        check_picture(film, ImageLimits(max_frames=3))


def test_the_check_decodes_nothing() -> None:
    whole = encoded(Image.effect_noise((64, 48), 80), "JPEG")
    half = whole[: len(whole) * 2 // 3]
    check_picture(half)
    with pytest.raises(DamagedImage):
        open_picture(half)
