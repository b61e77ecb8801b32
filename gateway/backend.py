"""The gateway's way to TorchServe: its inference API over kept-alive connections.

Owns the connections, the token, and what TorchServe's statuses mean for the pictures that were sent. It
asks once; who asks again, and when, is the business of ``gateway.gathering``.
"""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import aiohttp

from fishgate.errors import FishgateError, ImageTooLarge, InternalError, Overloaded
from fishgate.inference_token import InferenceToken
from fishgate.packet import CONTENT_TYPE

TORCHSERVE_NAMES = {"expert": "fish__expert", "zero_shot": "zero_shot"}

_TOKEN_STATUSES = (400, 401, 403)
_LARGE_BYTES = 1_000_000
"""From here on aiohttp wants a body as a file."""


class Unavailable(Overloaded):
    """The model is not there, or takes nothing more; what was sent has no part in that."""


class Unreachable(Unavailable):
    """There is no connection to the server."""


class WorkerLost(InternalError):
    """The worker ended over what it was sent, or something else ended it meanwhile."""


class ConnectionBroken(WorkerLost):
    """The connection broke before the reply was here."""


class Backend:
    """One TorchServe. To be used inside one running event loop."""

    def __init__(self, url: str, key_file: Path | None = None) -> None:
        self._url = url.rstrip("/")
        self._token = InferenceToken(key_file)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, model: str, body: bytes) -> bytes:
        """Return the model's reply to a packet; a version of one is named by its path, ``NAME/VERSION``.

        Raises Unavailable or WorkerLost, or another FishgateError that asking again will not mend. There is
        no time limit here: whoever waits knows its own.
        """
        headers = {"Content-Type": CONTENT_TYPE, **self._authorization(model)}
        url = f"{self._url}/predictions/{TORCHSERVE_NAMES.get(model, model)}"
        # aiohttp closes the file that it is given, and warns of large bodies that are none.
        data = io.BytesIO(body) if len(body) > _LARGE_BYTES else body
        try:
            async with self._connected().post(url, data=data, headers=headers) as response:
                status, content = response.status, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(f"{model} cannot be reached ({type(error).__name__})") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionBroken(f"the connection to {model} broke ({type(error).__name__})") from error
        if status == 200:
            return content
        raise self._error(model, status, content)

    def spread(self, model: str) -> int:
        """Return over how many hosts the model's work is spread: this is one."""
        return 1

    async def is_there(self, limit_s: float) -> bool:
        """Tell whether the server says anything at all within so many seconds; its models may be away."""
        try:
            async with self._connected().get(f"{self._url}/ping", timeout=aiohttp.ClientTimeout(total=limit_s)):
                return True
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            return False

    async def close(self) -> None:
        """Close all connections. Who asks meanwhile gets new ones, not those that are being closed."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
                skip_auto_headers=("User-Agent", "Accept-Encoding"),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _authorization(self, model: str) -> dict[str, str]:
        try:
            return self._token.headers()
        except InternalError as error:  # TorchServe is stopped, and will write a new file when it starts
            raise Unavailable(f"{model} cannot be reached: {error}") from error

    def _error(self, model: str, status: int, content: bytes) -> FishgateError:
        if content.startswith(b'{"error"'):
            return InternalError(f"{model} did not understand the gateway; were both installed together?")
        if status in _TOKEN_STATUSES:
            self._token.forget()
            return Unavailable(f"{model} does not accept the token")
        if status == 404 or (status == 503 and _is_unavailable(content)):
            return Unavailable(f"{model} is not there, or has too much to do ({status})")
        if status == 413:
            return ImageTooLarge("the picture is larger than the server takes in one request")
        return WorkerLost(f"{model} answered {status}")


def _is_unavailable(content: bytes) -> bool:
    """Tell a full queue or a missing worker from a worker that failed: both are 503."""
    try:
        return bool(json.loads(content)["type"] == "ServiceUnavailableException")
    except (ValueError, KeyError, TypeError):
        return False
