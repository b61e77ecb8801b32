"""What the client's tests share: the client on the path, a stand-in server, a folder of drawn pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

CLIENT = ROOT / "client"
if str(CLIENT) not in sys.path:  # it is a package of its own, installed alone by those who only ask
    sys.path.insert(0, str(CLIENT))

from tests.client.stand_in import StandIn, running  # noqa: E402


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server that answers like Fishgate, on a free port."""
    with running() as stand_in:
        yield stand_in


@pytest.fixture
def reef(tmp_path: Path) -> Path:
    """A folder with three pictures, one of them deeper down."""
    folder = tmp_path / "reef"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.jpg", "a.PNG", "deep/c.webp"):
        (folder / name).write_bytes(f"picture {name}".encode())
    (folder / "notes.txt").write_text("no picture")
    (folder / "._a.jpg").write_bytes(b"what macOS leaves behind")
    return folder
