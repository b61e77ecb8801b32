"""The body of a request, as it comes in.

Owns the limits on its size and on the time that it may take. It does not know what is in it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.types import Message, Receive

from fishgate.errors import FishgateError
from gateway.errors import RequestTimeout
from gateway.http.hanging_up import HungUp

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout

TooLarge = Callable[[str], FishgateError]
"""Makes the error for a body that is too large, of what was seen: "26,000,000 bytes"."""


class Body:
    """One request's body, to be read once.

    At most ``most_bytes`` may come. The client has ``limit_s`` seconds for all of it, or for each stretch of it,
    where the reader begins a new one; time that the reader itself takes does not count.
    """

    def __init__(self, request: Request, *, most_bytes: int, limit_s: float, too_large: TooLarge) -> None:
        """Raise ``too_large`` at once, before anything is read, if the client itself says so."""
        self.bytes_read = 0
        self._receive = request.receive
        self._most_bytes = most_bytes
        self._limit_s = self._left_s = limit_s
        self._too_large = too_large
        self._check_length(request.headers.get("content-length", "0"))

    def begin_stretch(self) -> None:
        """Give the client the whole time again: something has come to its end."""
        self._left_s = self._limit_s

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece. Raises ``too_large``, RequestTimeout or HungUp."""
        is_more = True
        while is_more:
            message = await self._next()
            if message["type"] == "http.disconnect":
                raise HungUp
            is_more = message.get("more_body", False)
            chunk = message.get("body", b"")
            self._count(len(chunk))
            if chunk:
                yield chunk

    async def _next(self) -> Message:
        asked_s = time.monotonic()
        try:
            async with timeout(self._left_s):
                return await self._receive()
        except asyncio.TimeoutError:
            raise RequestTimeout(f"the request's body did not come within {self._limit_s:g} s") from None
        finally:
            self._left_s -= time.monotonic() - asked_s

    def _count(self, count: int) -> None:
        self.bytes_read += count
        if self.bytes_read > self._most_bytes:
            raise self._too_large(f"more than {self._most_bytes:,} bytes")

    def _check_length(self, text: str) -> None:
        # Digits are counted first: int() refuses thousands of them in its own words.
        if text.isascii() and text.isdecimal() and (len(text) > 18 or int(text) > self._most_bytes):
            raise self._too_large(f"{int(text[:18]):,} bytes")


async def discard(receive: Receive, *, limit_s: float) -> None:
    """Read what comes and throw it away, until the body's end or for ``limit_s`` seconds."""
    try:
        async with timeout(limit_s):
            while (await receive()).get("more_body", False):
                pass
    except asyncio.TimeoutError:
        pass
