"""What may happen to a request in place of its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.client.replies import error

Trouble = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""What happens to a request in place of its answer; returning None, it is answered after all."""


def refusing(status: int, code: str, **headers: str) -> Trouble:
    """Refuse a request as the gateway does."""

    async def trouble(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.json_response(error(status, code, "not now")[1], status=status, headers=headers)

    return trouble


def garbage(status: int = 200, text: str = "<html>a proxy</html>") -> Trouble:
    """Answer like another program."""

    async def trouble(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(text=text, status=status, content_type="text/html")

    return trouble


def cut(sent: bytes = b'{"label": "Ca') -> Trouble:
    """Break the connection in the middle of a reply."""

    async def trouble(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(sent)
        assert request.transport is not None
        request.transport.abort()
        return response

    return trouble


async def fine(request: web.Request) -> None:
    """Let a request through."""
