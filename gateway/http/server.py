"""The HTTP server: uvicorn on a socket of ours, with our limits, ended by us.

Owns uvicorn's settings, and the order in which it ends: first nothing new, then what is in flight, then the sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from ipaddress import ip_address

import uvicorn
from starlette.types import ASGIApp

from fishgate.errors import SettingError
from gateway.draining import Draining
from gateway.http.connections import Connections
from gateway.http.protocol import Patience, guarded
from gateway.settings import Settings

_LAST_WORDS_S = 5.0
"""How long replies may take to get out once everything is answered."""


class HttpServer:
    """One server; ``port`` is the one that it really listens on."""

    def __init__(self, app: ASGIApp, settings: Settings, draining: Draining, *, most_connections: int) -> None:
        """Bind the socket; raise SettingError if the port is taken."""
        self.connections = Connections(min(settings.connections, most_connections))
        self._socket = _listening_socket(settings.host, settings.port)
        self.port = int(self._socket.getsockname()[1])
        self._draining = draining
        self._drain_limit_s = settings.drain_limit_s
        patience = Patience(head_limit_s=settings.head_limit_s, rest_limit_s=settings.body_limit_s)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=guarded(self.connections, patience),
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=settings.keep_alive_s,
                timeout_graceful_shutdown=int(_LAST_WORDS_S),
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve; return when connections are taken."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.01)

    async def drain(self) -> bool:
        """Refuse new requests, and wait for those in flight; return whether all of them were finished."""
        self._draining.begin()
        return await self._draining.finished(self._drain_limit_s)

    async def stop(self) -> None:
        """Close all sockets and end; what is still in flight is broken off."""
        if self._draining.in_flight:
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving

    async def ended(self) -> None:
        """Wait until the server has ended, by whatever cause."""
        if self._serving is not None:
            await asyncio.wait({self._serving})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to ``gateway.__main__``: uvicorn would close the sockets at once."""
        yield


def _listening_socket(host: str, port: int) -> socket.socket:
    name = "127.0.0.1" if host == "localhost" else host
    try:
        family = socket.AF_INET6 if ip_address(name).version == 6 else socket.AF_INET
    except ValueError:
        raise SettingError(f"the gateway listens on an address such as 127.0.0.1 or 0.0.0.0, got {host!r}") from None
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((name, port))
    except OSError as error:
        listening.close()
        raise SettingError(f"the gateway cannot listen on {host}, port {port}: {error.strerror}") from None
    return listening
