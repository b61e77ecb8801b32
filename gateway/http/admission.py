"""Who may come in through HTTP, and how errors go out.

Owns where a key stands in a request, which addresses need none, and that every FishgateError becomes a reply. It
lies inside the layer for foreign web pages (CORS), so that they can read errors as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from fishgate.errors import FishgateError
from gateway.entrance import Entrance
from gateway.errors import ShuttingDown
from gateway.exchange import CURRENT
from gateway.http.body import discard
from gateway.http.replies import error_response

API = "/v1/"
METRICS = "/metrics"
_REST_LIMIT_S = 5.0


class Admission:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, *, entrance: Entrance, metrics_open: bool) -> None:
        self._app = app
        self._entrance = entrance
        self._metrics_open = metrics_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            with self._admitted(scope):
                await self._app(scope, receive, send)
        except FishgateError as error:
            if isinstance(error, ShuttingDown):  # which closes: what is still unread then would reset the connection
                await discard(receive, limit_s=_REST_LIMIT_S)
            exchange = CURRENT.get()
            if exchange is not None and exchange.status:
                raise  # the reply has begun
            await error_response(error)(scope, receive, send)

    @contextmanager
    def _admitted(self, scope: Scope) -> Iterator[None]:
        """Let the request in; raises ShuttingDown, Unauthorised or RateLimited."""
        if scope["path"].startswith(API):
            with self._entrance.request(_secret(scope)) as key:
                exchange = CURRENT.get()
                if exchange is not None:
                    exchange.key = key
                yield
            return
        if scope["path"] == METRICS and not self._metrics_open:
            self._entrance.recognise(_secret(scope))
        yield


def _secret(scope: Scope) -> str | None:
    """Return the key that came as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``; the former goes first."""
    headers = dict(scope["headers"])
    kind, _, secret = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() == b"bearer" and secret.strip():
        return str(secret.strip().decode("latin-1"))
    return headers.get(b"x-api-key", b"").decode("latin-1") or None
