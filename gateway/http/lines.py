"""JSON lines as a reply that is written while its lines come.

Owns the form of a line and how lines are sent. It does not know where they come from.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fishgate.answer import Answer
from fishgate.errors import FishgateError
from fishgate.wire import error_reply

MEDIA_TYPE = "application/x-ndjson"


def line(index: int, file: str | None, result: Answer | FishgateError) -> bytes:
    """Return the line of one picture: its place in the request from 0, how its file was called, answer or error."""
    if isinstance(result, FishgateError):
        kind, told = "error", error_reply(result).error.model_dump_json()
    else:
        kind, told = "answer", result.model_dump_json()
    return f'{{"index":{index},"file":{json.dumps(file)},"{kind}":{told}}}\n'.encode()


class Lines(Response):
    """Sends ``first`` and then ``rest``, which is closed however sending ends."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        super().__init__(media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._first = first
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all lines; what ``rest`` raises breaks the connection off, as the reply cannot be taken back."""
        async with aclosing(self._rest) as rest:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self._first, "more_body": True})
            async for told in rest:
                await send({"type": "http.response.body", "body": told, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
