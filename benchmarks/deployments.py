"""A TorchServe of its own for the length of a benchmark, on free ports and in a temporary folder."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from benchmarks.outcome import MeasurementError, say
from benchmarks.paced.pack import build_paced
from benchmarks.pictures import bright_picture
from server.configuration import Settings, free_ports
from server.instance import running, start, stop, wait_until_ready
from server.management import TorchServe

WORKFLOW_PATH = "/wfpredict/fish"


@contextmanager
def serving(build: Callable[[Path], None], *, device: str = "cpu", limit_s: float = 600.0) -> Iterator[TorchServe]:
    """Build archives into a store, serve them, and leave nothing behind, whatever happens meanwhile."""
    with tempfile.TemporaryDirectory(prefix="fishgate-") as scratch, _ended_by_sigterm():
        folder = Path(scratch).resolve()
        settings = Settings(home=folder / "home", store=folder / "store", ports=free_ports(), device=device)
        settings.home.mkdir()
        settings.store.mkdir()
        say("building the archives")
        build(settings.store)
        try:
            java = start(settings)
            wait_until_ready(settings, java, bright_picture(), limit_s=limit_s, say=say)
            yield TorchServe(settings)
        finally:
            stop(settings)


@contextmanager
def paced_server() -> Iterator[TorchServe]:
    """Serve the paced models with the shipped workflow specification."""
    with serving(build_paced) as torchserve:
        yield torchserve


def java_of(torchserve: TorchServe) -> psutil.Process:
    """Return the server's Java process; raise MeasurementError if it is gone."""
    java = running(torchserve.settings)
    if java is None:
        raise MeasurementError("TorchServe has ended meanwhile")
    return java


def workflow_url(torchserve: TorchServe) -> str:
    """Return the address of the workflow."""
    return torchserve.settings.url + WORKFLOW_PATH


def worker_pids(torchserve: TorchServe, model: str) -> list[int]:
    """Return the process numbers of a model's workers that are there at this moment, and are its own.

    Only children of this very server count: TorchServe may still tell the number of one that died.
    """
    own = {process.pid for process in java_of(torchserve).children(recursive=True)}
    return [int(worker["pid"]) for worker in torchserve.describe(model)["workers"] if int(worker["pid"]) in own]


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that the server is stopped then too."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
