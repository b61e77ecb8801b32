"""Sending with ``aiohttp``; its errors become Fishgate's here and nowhere else."""

from __future__ import annotations

import asyncio

try:
    import aiohttp
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "AsyncFishgate needs aiohttp: pip install 'fishgate-client[async]'", name="aiohttp"
    ) from error

from fishgate_client.address import without_secrets
from fishgate_client.errors import TimedOut
from fishgate_client.http import CONNECT_TIMEOUT_S, Key, headers_for, unreachable
from fishgate_client.message import Reply, Request


class AsyncHttp:
    """One server and its connections; belongs to the event loop in which it is first used."""

    def __init__(self, url: str, *, key: Key, timeout_s: float, connections: int) -> None:
        self.url = url.rstrip("/")
        self.shown = without_secrets(self.url)
        self._key = key
        self._timeout_s = timeout_s
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Reply:
        """Send a request and return the whole reply; raise Unreachable or TimedOut."""
        try:
            async with self._opened().request(
                request.method,
                self.url + request.path,
                params=request.query,
                data=request.body,
                headers=headers_for(request, self._key, self._timeout_s),
                allow_redirects=False,
            ) as response:
                return Reply(response.status, response.headers, await response.read())
        except asyncio.TimeoutError as error:
            raise TimedOut(f"no reply from {self.shown} within {self._timeout_s:g} seconds") from error
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(self.shown, error) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:  # not before: a session needs the running loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S, sock_read=self._timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session
