"""What the tests of handlers share: toy model folders, and a temporary folder of their own for the spool."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.toys import toy_clip, toy_expert, write_folder

CONFIG = {"fishgate": {"least_ms": 0.0}}


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that all workers of one server share."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def spooled(temporary_folder: Path) -> Path:
    """Where deferred pictures wait; not there before the first."""
    return temporary_folder / "fishgate-spool"


@pytest.fixture(autouse=True)
def threads_restored() -> Iterator[None]:
    """Handlers take their share of the cores for the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def expert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("expert"), toy_expert())


@pytest.fixture(scope="session")
def zero_shot_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("zero_shot"), toy_clip(), "zero_shot")
