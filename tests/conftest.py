"""What all tests share: marks from folders, drawn pictures, and where the data lies."""

from __future__ import annotations

import io
import signal
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
"""Data that is not part of the repository: photographs, trouble pictures, lists."""


def pytest_configure() -> None:
    """Take back the neglect of Ctrl-C that a shell gives its background jobs: programs started by tests inherit it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder: ``e2e`` runs a real server, ``unit`` is all the rest."""
    for item in items:
        item.add_marker("e2e" if (ROOT / "tests" / "e2e") in item.path.parents else "unit")


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """Return a drawn picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def shared_folder(name: str) -> Path:
    """Return a folder of the shared data; skip the test where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"there is no folder shared/{name} beside the repository")
    return folder


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of real photographs, with its manifest.csv."""
    return shared_folder("photos")


@pytest.fixture(scope="session")
def red_64x48_jpeg() -> bytes:
    return encoded(Image.new("RGB", (64, 48), "red"), "JPEG")


@pytest.fixture(scope="session")
def green_48x64_png() -> bytes:
    return encoded(Image.new("RGB", (48, 64), "lime"), "PNG")


@pytest.fixture(scope="session")
def blue_1x1_png() -> bytes:
    return encoded(Image.new("RGB", (1, 1), "blue"), "PNG")
