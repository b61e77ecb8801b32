"""The outermost layer of the application: each request gets its id and trace, and is accounted for.

Owns the headers that every reply has, and that every request ends up in the log, the figures and the trace, however
it ends. It decides nothing.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fishgate.errors import InternalError
from gateway.access_log import AccessLog
from gateway.draining import Draining
from gateway.exchange import CURRENT, Exchange
from gateway.http.hanging_up import HungUp
from gateway.http.replies import error_response
from gateway.metrics import Metrics
from gateway.spans import Spans
from gateway.tracing import read_traceparent, request_id

HUNG_UP = 499
"""The status in the log of a request whose client closed the connection; nobody else ever sees it."""

ROUTES = frozenset(
    {"/", "/docs", "/openapi.json", "/livez", "/readyz", "/metrics"}
    | {"/v1/identify", "/v1/identify/batch", "/v1/models", "/v1/species"}
)
_MOST_PATH = 200
"""Characters of a path that the log shows."""

OTHER_ROUTE = "other"
"""Figures name only addresses that exist: a client cannot make new ones."""

_SECURITY = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
_NO_DOCUMENT = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

_log = logging.getLogger(__name__)


class Accounting:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, *, draining: Draining, metrics: Metrics, log: AccessLog, spans: Spans) -> None:
        self._app = app
        self._draining = draining
        self._metrics = metrics
        self._access_log = log
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = self._begin(scope)
        CURRENT.set(exchange)
        try:
            await self._serve(exchange, scope, receive, send)
        finally:
            self._end(exchange)

    async def _serve(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted_receive() -> Message:
            message = await receive()
            exchange.bytes_in += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = _with_headers(message.get("headers", []), exchange)
                if self._draining.is_announced:  # else the client would ask again on a connection that ends
                    message["headers"] = _closing(message["headers"])
            else:
                exchange.bytes_out += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counted_receive, counted_send)
        except HungUp:
            exchange.status, exchange.code = HUNG_UP, "hung_up"
        except asyncio.CancelledError:
            exchange.code = "cancelled"
            raise
        except Exception as error:
            _log.exception("request %s failed", exchange.request_id)
            if exchange.status:  # the reply has begun: only its end can tell that something went wrong
                exchange.code = InternalError.code
                raise
            response = error_response(InternalError(f"the gateway failed ({type(error).__name__})"))
            await response(scope, counted_receive, counted_send)

    def _begin(self, scope: Scope) -> Exchange:
        headers = dict(scope["headers"])
        path, method = scope["path"], scope["method"]
        route = path if path in ROUTES else "/page" if path.startswith("/page/") else OTHER_ROUTE
        parent = read_traceparent(headers.get(b"traceparent", b"").decode("latin-1"))
        client = scope.get("client")
        return Exchange(
            door="http",
            method=method,
            path=path[:_MOST_PATH],
            route=route,
            request_id=request_id(headers.get(b"x-request-id", b"").decode("latin-1")),
            trace=self._spans.begin(f"{method} {route}", parent),
            parent=parent,
            client=client[0] if client else None,
        )

    def _end(self, exchange: Exchange) -> None:
        self._metrics.request(
            route=exchange.route, source=exchange.source or "", code=exchange.code, seconds=exchange.seconds
        )
        self._access_log.line(exchange.facts())
        self._spans.end(exchange)


def _with_headers(headers: list[tuple[bytes, bytes]], exchange: Exchange) -> list[tuple[bytes, bytes]]:
    own = [
        *headers,
        *_SECURITY,
        (b"x-request-id", exchange.request_id.encode()),
        (b"traceparent", str(exchange.trace).encode()),
        (b"server-timing", _server_timing(exchange).encode()),
    ]
    if not any(name == b"content-security-policy" for name, _ in headers):
        own.append(_NO_DOCUMENT)
    return own


def _closing(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [*((name, value) for name, value in headers if name != b"connection"), (b"connection", b"close")]


def _server_timing(exchange: Exchange) -> str:
    stages = [f"{name};dur={seconds * 1e3:.1f}" for name, seconds, _ in exchange.stages]
    return ", ".join([*stages, f"total;dur={exchange.seconds * 1e3:.1f}"])
