"""HTTP/1.1 on a socket, with a limit on everything that a client may keep us waiting for.

Owns what happens before and after a request is with the application: the time and size of its head, idle
connections, and bodies that go on after they were answered. uvicorn does all the rest.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from fishgate.errors import FishgateError, Overloaded
from fishgate.wire import reply
from gateway.errors import BadRequest, HeadTooLarge, RequestTimeout
from gateway.http.connections import Connections

MOST_HEAD_BYTES = 65_536
"""The most bytes in a row that bring a request neither its head's end nor any of its body."""

_PHRASES = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large", 503: "Unavailable"}


@dataclass(frozen=True)
class Patience:
    """How long a client may take, in seconds: to send a request's head; and to end a body that is answered already,
    or to read on in a reply."""

    head_limit_s: float
    rest_limit_s: float


class GuardedProtocol(HttpToolsProtocol):
    """One connection. ``connections`` and ``patience`` are set in a subclass, by ``guarded``."""

    connections_open: Connections
    patience: Patience

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._fruitless_bytes = 0
        self._is_receiving = False  # a request has begun that is not yet here as a whole
        self._has_head = False
        self._timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request, unless there are too many connections."""
        super().connection_made(transport)
        if self.connections_open.opened(self):
            self._wait_at_most(self.patience.head_limit_s, self._head_is_late)
        else:
            self._refuse(Overloaded("too many connections are open"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.connections_open.lost(self)
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def close_idle(self) -> None:
        """Close at once: nobody is waiting at the other end."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and see to it that the request comes to something."""
        self._fruitless_bytes += len(data)
        if self._reading_timer is not None:
            self.pause_writing()  # it does not read yet, but is there: it may want to send all before
        super().data_received(data)
        if self._fruitless_bytes > MOST_HEAD_BYTES:
            self._refuse(HeadTooLarge(f"request line and headers may have {MOST_HEAD_BYTES:,} bytes"))
        elif not self._has_head and self._timer is None and not self._is_at_work and not self.transport.is_closing():
            # Also for bytes between two requests: uvicorn has just stopped its own clock because of them.
            self._wait_at_most(self.patience.head_limit_s, self._head_is_late)

    def on_message_begin(self) -> None:
        """Take note that a request begins."""
        super().on_message_begin()
        self._is_receiving, self._has_head = True, False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what comes after the body (a trailer) is nothing to us."""
        if not self._has_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request over to the application."""
        self._has_head, self._fruitless_bytes = True, 0
        self._stop_waiting()
        self.connections_open.busy(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of the body."""
        self._fruitless_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take note that the request is here as a whole."""
        self._is_receiving, self._has_head, self._fruitless_bytes = False, False, 0
        self._stop_waiting()
        if not self._is_at_work:
            self.connections_open.idle(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of this one."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._is_receiving:
            # Closing now could lose the reply: a client that still sends would get a reset instead of it.
            self._wait_at_most(self.patience.rest_limit_s, self._close)
        elif not self.pipeline:
            self.connections_open.idle(self)

    def pause_writing(self) -> None:
        """Wait until the client reads on."""
        super().pause_writing()
        if self._reading_timer is not None:
            self._reading_timer.cancel()
        self._reading_timer = self.loop.call_later(self.patience.rest_limit_s, self.close_idle)

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        super().resume_writing()
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(BadRequest("this is no HTTP request that can be read"))

    @property
    def _is_at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _head_is_late(self) -> None:
        if self._is_receiving:
            self._refuse(
                RequestTimeout(f"request line and headers did not come within {self.patience.head_limit_s:g} s")
            )
        else:
            self._close()

    def _refuse(self, error: FishgateError) -> None:
        """Answer without asking the application, and close."""
        if self.transport.is_closing():
            return
        if not self._is_at_work:
            body = reply(error)
            head = f"HTTP/1.1 {error.status} {_PHRASES[error.status]}\r\ncontent-type: application/json\r\n"
            head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        self._close()

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _wait_at_most(self, limit_s: float, then: Any) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(limit_s, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def guarded(connections: Connections, patience: Patience) -> type[asyncio.Protocol]:
    """Return the class of protocols of one server: uvicorn makes them itself and takes a class only."""
    members = {"connections_open": connections, "patience": patience}
    return cast("type[asyncio.Protocol]", type("ServersProtocol", (GuardedProtocol,), members))
