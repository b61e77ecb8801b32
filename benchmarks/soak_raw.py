"""Clients that behave badly: slow ones, ones that stop halfway, and ones that hang up.

HTTP/1.1 on bare connections, one for each request, for no library sends so badly. Each returns why it got no answer,
None if it got one; a connection that is refused or broken is such a reason.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.doors import IDENTIFY

PIECES = 10
_LIMIT_S = 120.0
_A_MOMENT_S = 0.02
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no time: the other side gets a reset


async def post_slowly(port: int, picture: bytes, *, seconds: float) -> str | None:
    """Send a picture in pieces over so many seconds, and wait for the answer."""
    async with _connection(port, picture) as (reader, writer):
        step = len(picture) // PIECES + 1
        for begin in range(0, len(picture), step):
            await asyncio.sleep(seconds / PIECES)
            writer.write(picture[begin : begin + step])
            await writer.drain()
        return await _reply(reader)


async def stop_halfway(port: int, picture: bytes) -> str | None:
    """Send half a picture, then nothing more, and wait for what the server says to that."""
    async with _connection(port, picture) as (reader, writer):
        writer.write(picture[: len(picture) // 2])
        await writer.drain()
        return await _reply(reader)


async def hang_up_halfway(port: int, picture: bytes) -> None:
    """Send half a picture and close."""
    async with _connection(port, picture) as (_, writer):
        writer.write(picture[: len(picture) // 2])
        await writer.drain()


async def hang_up_unanswered(port: int, picture: bytes) -> None:
    """Send a picture and close without waiting for its answer."""
    async with _connection(port, picture) as (_, writer):
        writer.write(picture)
        await writer.drain()


async def reset(port: int, picture: bytes) -> None:
    """Send a picture, and break the connection while it is worked on."""
    async with _connection(port, picture) as (_, writer):
        writer.write(picture)
        await writer.drain()
        await asyncio.sleep(_A_MOMENT_S)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


HANG_UPS: tuple[Callable[[int, bytes], Awaitable[None]], ...] = (hang_up_halfway, hang_up_unanswered, reset)
"""The ways to be gone too early."""


@asynccontextmanager
async def _connection(port: int, picture: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, and send the head of a request with this picture."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"POST {IDENTIFY} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(picture)}\r\n\r\n".encode())
        yield reader, writer
    finally:
        writer.close()


async def _reply(reader: asyncio.StreamReader) -> str | None:
    """Return None for an answer, otherwise the code of the error that came."""
    reply = await asyncio.wait_for(reader.read(), _LIMIT_S)
    head, _, body = reply.partition(b"\r\n\r\n")
    try:
        value: Any = json.loads(body)
        return None if head.startswith(b"HTTP/1.1 200") and "label" in value else str(value["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return f"no reply that can be read: {reply[:80].decode(errors='replace')!r}"
