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

from fishgate_client.__main__ import main  # noqa: E402

from tests.client.command_line import Command  # noqa: E402
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


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty pictures, three of them bad; the tests run beside the folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(60):
        word = "#damaged" if number % 20 == 7 else ""
        (folder / f"{number:02}.jpg").write_bytes(f"picture {number} {word}".encode())
    return folder


@pytest.fixture
def command(server: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run the command against the stand-in, in a folder of its own; give the exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: main(["--url", server.url, *map(str, arguments)])
