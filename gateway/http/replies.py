"""Replies: JSON and errors as HTTP responses.

Owns the headers that belong to a reply by its kind. Headers that every reply has are put on by
``gateway.http.accounting``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from starlette.responses import Response

from fishgate.errors import FishgateError
from fishgate.wire import reply
from gateway.errors import RequestTimeout, ShuttingDown, Unauthorised, retry_after_s
from gateway.exchange import CURRENT

_CLOSING = (ShuttingDown, RequestTimeout)
"""After these nothing sensible can come on the same connection."""


class Json(Response):
    """JSON that is bytes already."""

    def __init__(self, body: bytes, *, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        # Not by Starlette's own way, which would look at everything that a body and a type can be.
        self.body = body
        self.status_code = status_code
        self.background = None
        self.raw_headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in (headers or {}).items()),
        ]


def error_response(error: FishgateError, headers: dict[str, str] | None = None) -> Response:
    """Return the response that tells an error, and note it for the log."""
    exchange = CURRENT.get()
    if exchange is not None:
        exchange.failed(error)
    return Json(reply(error), status_code=error.status, headers={**_headers(error), **(headers or {})})


def _headers(error: FishgateError) -> dict[str, str]:
    headers = {}
    wait_s = retry_after_s(error)
    if wait_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    if isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = 'Bearer realm="fishgate"'
    if isinstance(error, _CLOSING):
        headers["Connection"] = "close"
    return headers
