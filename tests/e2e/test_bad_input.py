"""Bad pictures through a real server: the right code, no 5xx, no dead worker, no harmed neighbour."""

from __future__ import annotations

import io
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from server.bootstrap import ROOT
from server.management import MODEL_NAMES, TorchServe
from tests.e2e.conftest import SAMPLE

TROUBLE = ROOT.parent / "shared" / "trouble_pictures"
GROWTH_LIMIT_BYTES = 800_000_000
CLIENT_CODES = {"empty_image", "unsupported_image", "damaged_image", "image_too_large", "invalid_option"}


def drawn(mode: str, size: tuple[int, int], form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


EXPECTED = {
    "empty": (b"", "empty_image"),
    "text": (b"a letter to the inspector", "unsupported_image"),
    "json": (b'{"picture": 1}', "unsupported_image"),
    "html": (b"<html><body>404</body></html>", "unsupported_image"),
    "cut off": (SAMPLE[: len(SAMPLE) // 2], "damaged_image"),
    "header only": (SAMPLE[:20], "damaged_image"),
    "too many pixels": (drawn("1", (16_000, 8_000), "PNG"), "image_too_large"),
    "too many bytes": (SAMPLE + bytes(25_000_001 - len(SAMPLE)), "image_too_large"),
    "one pixel": (drawn("RGB", (1, 1), "PNG"), None),
    "grey": (drawn("L", (300, 200), "JPEG"), None),
    "CMYK": (drawn("CMYK", (300, 200), "JPEG"), None),
    "palette": (drawn("P", (300, 200), "GIF"), None),
    "transparent": (drawn("RGBA", (300, 200), "PNG"), None),
    "16-bit": (drawn("I;16", (300, 200), "PNG"), None),
    "48 megapixels": (drawn("RGB", (8_000, 6_000), "JPEG"), None),
}

WRONG_OPTIONS = [
    {"top_k": "0"},
    {"top_k": "many"},
    {"threshold": "2"},
    {"threshold": "nan"},
    {"labels": "cod"},
    {"labels": "[]"},
    {"labels": '["cod", "Cod"]'},
    {"colour": "red"},
]


@pytest.mark.parametrize("name", EXPECTED)
def test_picture_gets_its_code_or_an_answer(demo: TorchServe, name: str) -> None:
    picture, code = EXPECTED[name]
    reply = demo.identify(picture)
    assert reply.get("error", {}).get("code") == code, reply


@pytest.mark.parametrize("form", WRONG_OPTIONS, ids=str)
def test_wrong_option_is_refused_by_name(demo: TorchServe, form: dict[str, str]) -> None:
    error = demo.identify(SAMPLE, form)["error"]
    assert (error["code"], error["status"]) == ("invalid_option", 400)
    assert next(iter(form)) in error["message"]


@pytest.mark.skipif(not TROUBLE.is_dir(), reason="no ../shared/trouble_pictures on this machine")
def test_trouble_pictures_harm_nobody(demo: TorchServe) -> None:
    """Every trouble picture twice, among good ones, all at once, so that they share batches."""
    troubles = [path.read_bytes() for path in sorted(TROUBLE.glob("*/*"))] * 2
    assert_nobody_is_harmed(demo, troubles)


def test_random_bytes_harm_nobody(demo: TorchServe) -> None:
    """Random bytes behind the signatures of picture formats, and good pictures with bytes changed."""
    dice = random.Random(1)
    heads = [b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"RIFF0000WEBPVP8 "]
    noise = [dice.choice(heads) + dice.randbytes(dice.randint(1, 3000)) for _ in range(100)]
    assert_nobody_is_harmed(demo, noise + [damaged(dice) for _ in range(100)])


def damaged(dice: random.Random) -> bytes:
    picture = bytearray(SAMPLE)
    for _ in range(dice.randint(1, 30)):
        picture[dice.randrange(len(picture))] = dice.randrange(256)
    return bytes(picture)


def assert_nobody_is_harmed(server: TorchServe, pictures: list[bytes]) -> None:
    before = workers(server)
    good_reply = server.identify(SAMPLE)
    mixed = [picture for bad in pictures for picture in (bad, SAMPLE)]
    with ThreadPoolExecutor(16) as executor:
        replies = list(executor.map(server.identify, mixed))
    for reply in replies[::2]:
        assert "error" not in reply or reply["error"]["code"] in CLIENT_CODES, reply
    for reply in replies[1::2]:
        assert reply["label"] == good_reply["label"], reply
    after = workers(server)
    assert after.keys() == before.keys(), "a worker died"
    assert all(after[pid] - before[pid] < GROWTH_LIMIT_BYTES for pid in before)


def workers(server: TorchServe) -> dict[int, int]:
    """Return the memory of each worker process, in bytes."""
    pids = [int(worker["pid"]) for model in MODEL_NAMES for worker in server.describe(model)["workers"]]
    return {pid: psutil.Process(pid).memory_info().rss for pid in pids}


def test_no_answer_tells_a_path_of_the_server(demo: TorchServe) -> None:
    replies = [demo.identify(picture) for picture, _ in EXPECTED.values()]
    assert not any(str(Path(demo.settings.home)) in str(reply) for reply in replies)
