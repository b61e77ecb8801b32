"""What the tests of the gateway share: running doors, and drawn pictures of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import encoded
from tests.gateway.http_door import Door, open_door

OpenDoor = Callable[..., Door]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenDoor]:
    """Start an HTTP door with settings of one's own; it is closed at the end of the test."""
    with ExitStack() as stack:

        def start(**arguments: Any) -> Door:
            return stack.enter_context(open_door(tmp_path, **arguments))

        yield start


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An HTTP door that the tests of one module share, with the settings as they are by default."""
    with open_door(tmp_path_factory.mktemp("door")) as running:
        running.do(running.readiness.ready())
        yield running


def drawn(width: int = 12, height: int = 8, form: str = "JPEG") -> bytes:
    """Return a picture of one colour; the fake engine names it after its size."""
    return encoded(Image.new("RGB", (width, height), "teal"), form)


def noisy(size: int) -> bytes:
    """Return a picture of about so many bytes: a BMP, which holds each pixel."""
    side = max(1, int((size / 3) ** 0.5))
    return encoded(Image.effect_noise((side, side), 80).convert("RGB"), "BMP")
