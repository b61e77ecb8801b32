"""A shorter way for the one route that has to be fast.

Owns which requests take it. They pass the same layers of ours as all others, but none of the framework's, which
would cost as much again as everything that the gateway itself does for a request (docs/decisions/gateway.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class Express:
    """``app``, but what is posted to ``path`` goes to ``express``."""

    def __init__(self, app: ASGIApp, *, path: str, express: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._express = express

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_express = scope["type"] == "http" and scope["path"] == self._path and scope["method"] == "POST"
        await (self._express if is_express else self._app)(scope, receive, send)


def direct(endpoint: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """Return an application that is one endpoint and nothing else."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)

    return app
