"""Toy stores and packs with their manifests, and no signatures demanded."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.signatures import KEY_VARIABLE
from tests.server.toy_stores import write_pack, write_store


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack")
