"""What the tests of the monitoring share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.monitored_system import System, running_system
from tests.deploy.prometheus_parts import Prometheus, running_prometheus, write_configuration
from tests.deploy.prometheus_tools import tools


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A small Fishgate under a steady stream of pictures, which the tests of one module may do harm to."""
    tools()  # skips before anything is started
    with running_system(tmp_path_factory.mktemp("system")) as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus that watches it with the project's own files, hurried."""
    folder = tmp_path_factory.mktemp("prometheus")
    configuration = write_configuration(
        folder, gateway=system.gateway_address, torchserve=system.page_address, is_short=True
    )
    with running_prometheus(configuration, folder / "data") as running:
        yield running
