"""Ports for tests that want nobody there."""

from __future__ import annotations

import socket


def closed_port() -> int:
    """Return a port on which nobody listens at this moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
