"""A gateway that finds its TorchServe hosts behind one name, and what it says of them.

Owns the name: it leads to the hosts in a file that this gateway alone takes for ``/etc/hosts``, in a mount
namespace of its own, so that hosts can be added while it runs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.namespaces import PORT
from benchmarks.outcome import MeasurementError
from server.bootstrap import ROOT
from server.configuration import free_ports

NAME = "fish.test"
"""A top-level name that nobody owns (RFC 6761)."""

_LIMIT_S = 120.0
_MOUNTED = 'mount --bind "$0" /etc/hosts && exec "$@"'
_SAMPLE = re.compile(r"^(fishgate_gateway_host_\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class NamedHosts:
    """The running gateway, and the hosts behind its name."""

    def __init__(self, url: str, hosts_file: Path) -> None:
        self.url = url
        self._hosts_file = hosts_file

    def name(self, addresses: Iterable[str]) -> None:
        """Let the name lead to these addresses from now on."""
        _write(self._hosts_file, addresses)

    def figures(self) -> dict[tuple[str, str, str], float]:
        """Return the hosts' figures by series, address, and state or outcome (empty for the series without)."""
        text = requests.get(f"{self.url}/metrics", timeout=10).text
        found = ((series, dict(_LABEL.findall(labels)), value) for series, labels, value in _SAMPLE.findall(text))
        return {
            (series.removeprefix("fishgate_gateway_host_"), labels["host"].rpartition(":")[0], _other(labels)): float(
                value
            )
            for series, labels, value in found
        }

    def state_of(self, address: str) -> str:
        """Return the state of a host; empty if the gateway knows of none there."""
        states = (key[2] for key, value in self.figures().items() if key[:2] == ("state", address) and value == 1.0)
        return next(states, "")

    def answered_by(self, address: str) -> int:
        """Return how many packets a host has answered."""
        return int(self.figures().get(("requests_total", address, "ok"), 0))

    def wait_for(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait until it is so; raise MeasurementError, saying ``what`` never came."""
        until_s = time.monotonic() + _LIMIT_S
        while not is_so():
            if time.monotonic() > until_s:
                raise MeasurementError(f"after {_LIMIT_S:.0f} seconds still not: {what}")
            time.sleep(0.05)


@contextmanager
def named_gateway(home: Path, addresses: Iterable[str], **settings: object) -> Iterator[NamedHosts]:
    """Start a gateway whose hosts stand behind a name, without tokens; ``settings`` are more of its settings."""
    ports, hosts_file = free_ports(), home / "hosts"
    home.mkdir(parents=True, exist_ok=True)
    _write(hosts_file, addresses)
    given = {
        "home": home,
        "port": ports.gateway,
        "grpc_port": ports.gateway_grpc,
        "torchserve_url": f"dns+http://{NAME}:{PORT}",
        "torchserve_resolve_s": 0.5,
        "access_log": home / "access.log",
        **settings,
    }
    environment = {f"FISHGATE_GATEWAY_{name.upper()}": str(value) for name, value in given.items()}
    command = ["unshare", "--mount", "sh", "-c", _MOUNTED, str(hosts_file), sys.executable, "-m", "gateway"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=sys.stderr)
    try:
        gateway = NamedHosts(f"http://127.0.0.1:{ports.gateway}", hosts_file)
        gateway.wait_for("the gateway is ready", lambda: _is_ready(process, gateway.url))
        yield gateway
    finally:
        process.terminate()
        process.wait(_LIMIT_S)


def _write(hosts_file: Path, addresses: Iterable[str]) -> None:
    """Write into the file as it is there: a new one in its place would not be seen where the old one is mounted."""
    hosts_file.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {NAME}\n" for address in addresses))


def _is_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    if process.poll() is not None:
        raise MeasurementError(f"the gateway ended while starting, with status {process.returncode}")
    try:
        return requests.get(f"{url}/readyz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _other(labels: dict[str, str]) -> str:
    return labels.get("state", labels.get("outcome", ""))
