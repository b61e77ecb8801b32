"""Broken, hostile and odd files end as a picture or as one of the picture errors, in little memory."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fishgate.errors import PictureError
from fishgate.images import ImageLimits, open_picture, quieten_decoders
from tests.conftest import ROOT, encoded, shared_folder

MEMORY_BYTES = 1 << 30

OPEN_ALL = """
import json, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
from fishgate.errors import PictureError
from fishgate.images import open_picture, quieten_decoders
quieten_decoders()
outcomes = {}
for path in sorted(path for path in pathlib.Path(sys.argv[1]).rglob("*") if path.is_file()):
    try:
        picture = open_picture(path.read_bytes(), needed_px=224)
        outcomes[path.name] = [picture.mode, *picture.size]
    except PictureError as error:
        outcomes[path.name] = error.code
    except BaseException as error:
        outcomes[path.name] = repr(error)
print(json.dumps(outcomes))
"""

CODES = {
    "badbitcount.bmp": "damaged_image",
    "badwidth.bmp": "image_too_large",
    "broken.png": "damaged_image",
    "broken_data_stream.png": "damaged_image",
    "not_enough_data.jp2": "unsupported_image",
    "syntax_num_frames_zero.png": "damaged_image",
    "truncated_end_chunk.png": "damaged_image",
    "unknown_compression_method.png": "damaged_image",
    "zero_height.j2k": "unsupported_image",
    "zero_width.gif": "damaged_image",
    "hopper.dds": "unsupported_image",
    "hopper.ico": "unsupported_image",
    "hopper.ppm": "unsupported_image",
    "hopper.qoi": "unsupported_image",
    "pillow2.icns": "unsupported_image",
    "crash-0c7e0e8e11ce787078f00b5b0ca409a167f070e0.tif": "damaged_image",
    "decompression_bomb.gif": "image_too_large",
    "decompression_bomb.ico": "unsupported_image",
    "oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": "damaged_image",
    "png_decompression_dos.png": "damaged_image",
    "psd-oob-write.psd": "unsupported_image",
    "seek_too_large.tif": "damaged_image",
    "sgi_crash.bin": "unsupported_image",
    "timeout-6646305047838720": "damaged_image",
}

SIZES = {
    "hopper.Lab.tif": [128, 128],
    "pil_sample_cmyk.jpg": [100, 100],
    "16bit.cropped.tif": [64, 64],
    "transparent.webp": [200, 150],
    "delay.png": [128, 64],
    "dispose_bgnd.gif": [100, 100],
    "frozenpond.mpo": [640, 480],
    "hopper_bigtiff.tif": [128, 128],
    "rot1mir0.avif": [640, 427],
    "g4_orientation_1.tif": [590, 88],
    "g4_orientation_5.tif": [590, 88],
    "broken_exif_dpi.jpg": [100, 100],
    "truncated_exif_dpi.jpg": [480, 640],
}

PICTURE_ERRORS = ("empty_image", "unsupported_image", "damaged_image", "image_too_large")


def _noise(form: str) -> bytes:
    pixels = np.random.default_rng(2).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), form)


WHOLE = {form: _noise(form) for form in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")}
EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=12)
STARTS = st.sampled_from((b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"RIFF\0\0\0\0WEBP"))


@pytest.fixture(scope="module")
def trouble() -> Path:
    return shared_folder("trouble_pictures")


@pytest.fixture(scope="module")
def outcomes(trouble: Path) -> dict[str, object]:
    """Every file opened in one child process that may take no more than a gigabyte."""
    command = [sys.executable, "-c", OPEN_ALL, str(trouble), str(MEMORY_BYTES)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert done.returncode == 0, done.stderr[-500:]
    return dict(json.loads(done.stdout))


def test_every_file_becomes_a_picture_or_a_picture_error(outcomes: dict[str, object]) -> None:
    wrong = {
        name: outcome
        for name, outcome in outcomes.items()
        if not (outcome in PICTURE_ERRORS or (isinstance(outcome, list) and outcome[0] == "RGB"))
    }
    assert len(outcomes) > 50
    assert not wrong


@pytest.mark.parametrize(("name", "code"), CODES.items(), ids=CODES)
def test_a_bad_file_gets_its_code(outcomes: dict[str, object], name: str, code: str) -> None:
    assert outcomes[name] == code


@pytest.mark.parametrize(("name", "size"), SIZES.items(), ids=SIZES)
def test_an_odd_file_that_can_be_seen_is_opened(outcomes: dict[str, object], name: str, size: list[int]) -> None:
    assert outcomes[name] == ["RGB", *size]


@pytest.mark.parametrize("other", range(4, 8))
def test_a_turned_photograph_looks_like_the_upright_one(trouble: Path, other: int) -> None:
    folder = trouble / "exif_orientation"
    upright = np.asarray(open_picture((trouble / "formats" / "hopper.png").read_bytes()), dtype=float)
    turned = open_picture((folder / f"hopper_orientation_{other}.jpg").read_bytes())
    assert np.abs(np.asarray(turned, dtype=float) - upright).mean() < 20


@pytest.mark.parametrize("form", WHOLE)
def test_changed_bytes_give_a_picture_or_a_picture_error(form: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(edits=EDITS, cut=st.none() | st.integers(0, 5_000))
    def check(edits: list[tuple[int, int]], cut: int | None) -> None:
        data = bytearray(WHOLE[form])
        for place, value in edits:
            data[place % len(data)] = value
        _opens_or_refuses(bytes(data[:cut]))

    quieten_decoders()
    check()


@settings(max_examples=200, deadline=None)
@given(start=STARTS, rest=st.binary(max_size=400))
def test_any_bytes_give_a_picture_or_a_picture_error(start: bytes, rest: bytes) -> None:
    quieten_decoders()
    _opens_or_refuses(start + rest)


def _opens_or_refuses(data: bytes) -> None:
    with contextlib.suppress(PictureError):
        assert open_picture(data, limits=ImageLimits(max_pixels=1_000_000), needed_px=32).mode == "RGB"
