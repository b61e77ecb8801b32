"""What the tests of handlers share: toy model folders, and a temporary folder of their own for the spool."""

from __future__ import annotations

import asyncio
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from handlers.router_handler import RouterHandler
from tests.handlers.fake_torchserve import FakeContext
from tests.toys import toy_clip, toy_expert, write_folder

with warnings.catch_warnings():  # on import, ts leaves a file of its own open
    warnings.simplefilter("ignore", ResourceWarning)
    import ts  # noqa: F401

CONFIG = {"fishgate": {"least_ms": 0.0, "share_cores_with": 64}}

MakeRouter = Callable[..., tuple[RouterHandler, FakeContext]]
ENOUGH_S = 30.0


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


@pytest.fixture
def make_router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeRouter]:
    """Routers that ask the zero-shot at a URL, stopped after the test."""
    made: list[RouterHandler] = []

    def make(url: str, key_file: Path | None = None, **settings: float) -> tuple[RouterHandler, FakeContext]:
        monkeypatch.setenv("FISHGATE_INFERENCE_URL", url)
        monkeypatch.setenv("FISHGATE_KEY_FILE", str(key_file)) if key_file else None
        context = FakeContext(tmp_path, config={"fishgate": {"least_ms": 2.0, **settings}})
        made.append(RouterHandler())
        made[-1].initialize(context)
        return made[-1], context

    monkeypatch.delenv("FISHGATE_KEY_FILE", raising=False)
    yield make
    for handler in made:
        _stop(handler)


def _stop(handler: RouterHandler) -> None:
    """End the router's loop, which a worker leaves to the end of its process."""
    loop, session = handler._crossing._loop, handler._crossing._client._session
    if session is not None:
        asyncio.run_coroutine_threadsafe(session.close(), loop).result(ENOUGH_S)
    loop.call_soon_threadsafe(loop.stop)
    deadline_s = time.monotonic() + ENOUGH_S
    while loop.is_running() and time.monotonic() < deadline_s:
        time.sleep(0.001)
    loop.close()
