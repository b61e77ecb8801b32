"""Real servers for the tests: each with its own home, temporary folder and free ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.paced.pack import build_paced
from server import gateway_process
from server.archives import build
from server.bootstrap import ROOT
from server.configuration import Settings, free_ports
from server.instance import start, stop, wait_until_ready
from server.management import TorchServe

SAMPLE = (ROOT / "samples" / "drawn_goldfish.jpg").read_bytes()


@contextmanager
def running_server(home: Path, store: Path) -> Iterator[TorchServe]:
    """Start a server on the archives in ``store``, wait until it identifies, and stop it at the end."""
    settings = Settings(home=home, store=store, ports=free_ports())
    java = start(settings)
    try:
        wait_until_ready(settings, java, SAMPLE, limit_s=240, say=lambda text: None)
        yield TorchServe(settings)
    finally:
        stop(settings)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    """A server with the demo pack, shared by all tests that do no harm to it."""
    home = tmp_path_factory.mktemp("demo")
    build(home / "store", pack="demo", device="cpu", say=lambda text: None)
    with running_server(home, home / "store") as server:
        yield server


@pytest.fixture(scope="session")
def gateway(demo: TorchServe) -> Iterator[str]:
    """The address of a gateway before the server with the demo pack, shared by all tests."""
    settings = demo.settings
    process = gateway_process.start(settings)
    try:
        gateway_process.wait_until_ready(settings, process, limit_s=240)
        yield settings.gateway_url
    finally:
        gateway_process.stop(settings)


@pytest.fixture(scope="session")
def paced_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives of the paced models."""
    store = tmp_path_factory.mktemp("paced-store")
    build_paced(store)
    return store


@pytest.fixture(scope="module")
def paced(tmp_path_factory: pytest.TempPathFactory, paced_store: Path) -> Iterator[TorchServe]:
    """A server with paced models, to which the tests of one module may do harm."""
    with running_server(tmp_path_factory.mktemp("paced"), paced_store) as server:
        yield server
