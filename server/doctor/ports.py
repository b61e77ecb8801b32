"""Ports: whether those of this installation are free for it, and who has them otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import psutil

from server import gateway_process, instance
from server.configuration import Settings
from server.doctor.finding import Finding, broken, good

PART = "ports"


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Find ports that another program listens on."""
    wanted = [*settings.ports.of_torchserve, *(settings.ports.of_gateway if settings.has_gateway else ())]
    own = set(own_pids(settings))
    strangers = {port: pid for port, pid in listeners(wanted) if pid is None or pid not in own}
    for port, pid in sorted(strangers.items()):
        advice = "stop it, or start Fishgate on other ports with scripts/serve --base-port"
        yield broken(PART, f"port {port} is taken by {named(pid)}", advice)
    if not strangers:
        yield good(PART, f"{', '.join(map(str, wanted))} are free for Fishgate, or its own")


def listeners(ports: Iterable[int]) -> Iterator[tuple[int, int | None]]:
    """Return each of the ports that somebody listens on, with his process, or None where we may not see whose."""
    wanted = set(ports)
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port in wanted:
            yield connection.laddr.port, connection.pid


def own_pids(settings: Settings) -> Iterator[int]:
    """Return the processes of this installation that listen."""
    for process in (instance.running(settings), gateway_process.running(settings)):
        if process is not None:
            yield process.pid


def named(pid: int | None) -> str:
    """Say which process it is. Its arguments are not told: there may be secrets among them."""
    try:
        return "a program of another user" if pid is None else f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return f"process {pid}"
