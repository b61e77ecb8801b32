"""The router's way to zero-shot: TorchServe's inference API over kept-alive connections.

Owns the connection, the token and the translation of HTTP statuses into Fishgate's errors.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from fishgate.answer import Opinion
from fishgate.errors import FishgateError, InternalError, Overloaded, ServiceError, TimedOut
from fishgate.inference_token import InferenceToken
from fishgate.options import Options, options_to_fields
from fishgate.wire import opinion_from_json

_TRIES = 2  # a worker that dies takes its batch along; the next try meets another or its successor
_STATUS_ERRORS: dict[int, type[ServiceError]] = {429: Overloaded, 503: Overloaded, 507: Overloaded, 504: TimedOut}


class InferenceClient:
    """Asks a model of this TorchServe. To be used inside one running event loop."""

    def __init__(self, base_url: str, key_file: Path | None, *, in_flight: int) -> None:
        self._url = base_url.rstrip("/")
        self._token = InferenceToken(key_file)
        self._places = asyncio.Semaphore(in_flight)
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, model: str, picture: bytes, options: Options) -> Opinion:
        """Return the model's opinion; raise FishgateError if it cannot be had.

        Raises Overloaded at once when as many pictures as are allowed are waiting already.
        """
        if self._places.locked():
            raise Overloaded(f"too many pictures are waiting for {model}")
        async with self._places:
            return await self._ask_again(model, picture, options)

    async def _ask_again(self, model: str, picture: bytes, options: Options) -> Opinion:
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._ask_once(model, picture, options)
            except FishgateError as error:
                if attempt == _TRIES or not isinstance(error, ServiceError):
                    raise
                self._token.forget()  # it may have been renewed since
        raise AssertionError("unreachable")

    async def _ask_once(self, model: str, picture: bytes, options: Options) -> Opinion:
        form = aiohttp.FormData(options_to_fields(options))
        form.add_field("data", picture, filename="picture", content_type="application/octet-stream")
        url = f"{self._url}/predictions/{model}"
        try:
            async with self._connected().post(url, data=form, headers=self._token.headers()) as response:
                body = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise Overloaded(f"{model} cannot be reached ({type(error).__name__})") from error
        if response.status == 200 or _is_own_error(body):
            return opinion_from_json(body)
        raise _STATUS_ERRORS.get(response.status, InternalError)(f"{model} answered {response.status}")

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The time limit is the cascade's; a second one here would only hide it.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
            )
        return self._session


def _is_own_error(body: bytes) -> bool:
    return body.startswith(b'{"error"')
