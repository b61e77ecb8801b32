"""Several hosts on one machine: network namespaces, each behind a cable of its own that can be cut or slowed.

Owns the namespaces, their addresses and their cables; nothing of it is left behind. It needs root, and knows nothing
of what runs on the hosts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from types import TracebackType

from benchmarks.outcome import MeasurementError

PORT = 8080
"""The port on which the hosts are asked: a name has many addresses, and one port."""

_SLOW = (  # how a cable is made slow, best first: not every kernel knows the first
    ("netem", "delay", "150ms"),
    ("tbf", "rate", "1mbit", "burst", "16kb", "latency", "2s"),
)


@dataclass(frozen=True)
class Place:
    """One host: its namespace, its end of the cable, ours, and its address."""

    namespace: str
    inside: str
    outside: str
    address: str

    def command(self, *command: str) -> list[str]:
        """Return the command that runs ``command`` there."""
        return ["ip", "netns", "exec", self.namespace, *command]


def why_not() -> str | None:
    """Return why this machine can have no hosts of its own, None if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "the command ip is not there (Debian's package iproute2)"
    try:
        with Network() as network:
            network.add()
    except MeasurementError as error:
        return str(error)
    return None


class Network:
    """Hosts behind cables to this machine, for as long as its context lasts."""

    def __init__(self) -> None:
        self._places: list[Place] = []

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for place in self._places:
            # The cable would go with its namespace, but some time later.
            subprocess.run(["ip", "link", "delete", place.outside], capture_output=True, check=False)
            subprocess.run(["ip", "netns", "delete", place.namespace], capture_output=True, check=False)
        self._places.clear()

    def add(self) -> Place:
        """Set up a host; raise MeasurementError if the machine does not allow it."""
        number, ours = len(self._places), os.getpid()
        # 198.18.0.0/15 is set apart for benchmarks; four addresses for each cable.
        net = f"198.18.{ours % 256}"
        place = Place(f"fishgate-{ours}-{number}", "cable", f"fg{ours % 10**6}n{number}", f"{net}.{4 * number + 2}")
        _ip("netns", "add", place.namespace)
        self._places.append(place)
        _ip("link", "add", place.outside, "type", "veth", "peer", "name", place.inside, "netns", place.namespace)
        _ip("address", "add", f"{net}.{4 * number + 1}/30", "dev", place.outside)
        _ip("link", "set", place.outside, "up")
        _ip("-n", place.namespace, "address", "add", f"{place.address}/30", "dev", place.inside)
        _ip("-n", place.namespace, "link", "set", "lo", "up")
        self.mend(place)
        return place

    def cut(self, place: Place) -> None:
        """Pull the cable at the host's end: whatever is sent there is lost, and nobody is told."""
        _ip("-n", place.namespace, "link", "set", place.inside, "down")

    def mend(self, place: Place) -> None:
        """Put the cable in again."""
        _ip("-n", place.namespace, "link", "set", place.inside, "up")

    def slow(self, place: Place) -> str:
        """Make the cable slow; return by what means. Raises MeasurementError if the kernel knows none."""
        tried = ""
        for how in _SLOW:
            done = _run("tc", "qdisc", "add", "dev", place.outside, "root", *how)
            if done.returncode == 0:
                return " ".join(how)
            tried = done.stderr.strip()
        raise MeasurementError(f"no cable can be made slow here: {tried}")

    def quicken(self, place: Place) -> None:
        """Make the cable as quick again as it was."""
        _checked("tc", "qdisc", "delete", "dev", place.outside, "root")


def _ip(*arguments: str) -> None:
    _checked("ip", *arguments)


def _checked(*command: str) -> None:
    done = _run(*command)
    if done.returncode:
        raise MeasurementError(f"{' '.join(command)}: {done.stderr.strip()}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise MeasurementError(f"{command[0]} cannot be run: {error}") from error
