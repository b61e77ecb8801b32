"""Several real TorchServes with paced models on one machine, each in a namespace of its own.

Owns their processes and what may happen to them: killed as a machine whose power fails, cut off, slowed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.namespaces import Network, Place
from benchmarks.outcome import MeasurementError, say
from benchmarks.serve_host import settings_of
from server.bootstrap import ROOT
from server.configuration import Settings
from server.instance import running, stop

PACE_VARIABLE = "FISHGATE_PACED_EXPERT_S"
_STOP_LIMIT_S = 90.0


class PacedHosts:
    """The running hosts, by number."""

    def __init__(self, network: Network, folder: Path, store: Path) -> None:
        self.places: list[Place] = []
        self._network = network
        self._folder = folder
        self._store = store

    @property
    def addresses(self) -> list[str]:
        """Where they are."""
        return [place.address for place in self.places]

    @contextmanager
    def one_more(self, *, pace_s: float) -> Iterator[subprocess.Popen[str]]:
        """Start another host; give the process that says ``ready`` once it identifies."""
        place = self._network.add()
        self.places.append(place)
        settings = self._settings(place)
        settings.home.mkdir(parents=True)
        told = [f"--home={settings.home}", f"--store={self._store}", f"--address={place.address}"]
        process = subprocess.Popen(
            place.command(sys.executable, "-m", "benchmarks.serve_host", *told),
            cwd=ROOT,
            env={**os.environ, PACE_VARIABLE: str(pace_s)},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=_STOP_LIMIT_S)
            stop(settings)

    def kill(self, number: int) -> None:
        """Kill a host's TorchServe and all its workers at once."""
        java = running(self._settings(self.places[number]))
        if java is None:
            raise MeasurementError(f"host {number} has no TorchServe to kill")
        family = [java, *java.children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=_STOP_LIMIT_S)

    def cut(self, number: int) -> None:
        """Pull a host's cable."""
        self._network.cut(self.places[number])

    def mend(self, number: int) -> None:
        """Put it in again."""
        self._network.mend(self.places[number])

    def slow(self, number: int) -> str:
        """Make a host's cable slow; return by what means."""
        return self._network.slow(self.places[number])

    def _settings(self, place: Place) -> Settings:
        return settings_of(self._folder / place.namespace, self._store, place.address)


@contextmanager
def paced_hosts(number: int, folder: Path, store: Path, *, pace_s: float) -> Iterator[PacedHosts]:
    """Start so many hosts at once, and give them when all identify."""
    with ExitStack() as stack:
        hosts = PacedHosts(stack.enter_context(Network()), folder, store)
        say(f"starting {number} TorchServes")
        for process in [stack.enter_context(hosts.one_more(pace_s=pace_s)) for _ in range(number)]:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise MeasurementError("a TorchServe did not start")
        yield hosts
