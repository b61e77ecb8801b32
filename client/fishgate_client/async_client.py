"""Fishgate from an asynchronous Python program; the twin of ``fishgate_client.client``.

async with AsyncFishgate("http://127.0.0.1:8000", key=…) as fishgate:
    print((await fishgate.identify("carp.jpg")).label)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

from fishgate_client.answer import Answer, answer_from
from fishgate_client.async_http import AsyncHttp
from fishgate_client.catalogue import Models, Species, models_from, species_from
from fishgate_client.client import CONNECTIONS, AnyPicture
from fishgate_client.doors import Door
from fishgate_client.errors import FishgateError, TransientError
from fishgate_client.http import Key
from fishgate_client.message import Request
from fishgate_client.options import Options, options_from
from fishgate_client.pace import Pace
from fishgate_client.picture import Picture, read_picture
from fishgate_client.result import Result
from fishgate_client.retries import Retries

T = TypeVar("T")


class AsyncFishgate:
    """A Fishgate server; arguments, errors and retries are those of ``Fishgate``. Belongs to one event loop."""

    def __init__(
        self,
        url: str | None = None,
        *,
        key: Key = None,
        timeout_s: float = 60.0,
        retries: Retries | None = None,
        torchserve: bool = False,
    ) -> None:
        self._door = Door(torchserve)
        self._retries = retries or Retries()
        self._http = AsyncHttp(url or self._door.default_url, key=key, timeout_s=timeout_s, connections=CONNECTIONS)

    @property
    def url(self) -> str:
        """The address that is asked."""
        return self._http.url

    async def identify(
        self,
        picture: Picture,
        *,
        top_k: int | None = None,
        labels: Sequence[str] | None = None,
        threshold: float | None = None,
        species_list: str | None = None,
    ) -> Answer:
        """Identify one picture: a path, bytes, or an open binary file. Options are those of ``Options``."""
        return await self._identified(picture, options_from(top_k, labels, threshold, species_list), None)

    async def identify_many(
        self,
        pictures: Iterable[AnyPicture],
        *,
        top_k: int | None = None,
        labels: Sequence[str] | None = None,
        threshold: float | None = None,
        species_list: str | None = None,
        at_once: int = CONNECTIONS,
        in_order: bool = True,
    ) -> AsyncIterator[Result[AnyPicture]]:
        """Identify pictures as ``Fishgate.identify_many`` does; each has a request of its own."""
        options = options_from(top_k, labels, threshold, species_list)
        pace, source = Pace(at_once), iter(pictures)
        under_way: list[asyncio.Task[Result[AnyPicture]]] = []  # in the order given
        try:
            while True:
                for picture in islice(source, max(0, pace.limit - len(under_way))):
                    under_way.append(asyncio.create_task(self._result(picture, options, pace)))
                if not under_way:
                    return
                for task in await _done(under_way, in_order=in_order):
                    under_way.remove(task)
                    yield task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def models(self) -> Models:
        """Return the models that the server runs now."""
        return models_from(await self._told(self._door.models()))

    async def species(self, species_list: str | None = None) -> tuple[Species, ...]:
        """Return what the server can name, or what is on one of its species lists."""
        return species_from(await self._told(self._door.species(species_list)))

    async def ping(self) -> None:
        """Return if the server is there and takes the key; raise otherwise."""
        await self._told(self._door.ping())

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def __aenter__(self) -> AsyncFishgate:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _result(self, picture: AnyPicture, options: Options, pace: Pace) -> Result[AnyPicture]:
        try:
            return Result(picture, answer=await self._identified(picture, options, pace))
        except FishgateError as error:
            return Result(picture, error=error)

    async def _identified(self, picture: Picture, options: Options, pace: Pace | None) -> Answer:
        data = await asyncio.to_thread(read_picture, picture)
        request = self._door.identify(data, options)

        async def ask() -> Answer:
            return answer_from((await self._http.send(request)).object())

        return await self._asked(ask, pace)

    async def _told(self, request: Request) -> dict[str, Any]:
        async def ask() -> dict[str, Any]:
            return (await self._http.send(request)).object()

        return await self._asked(ask)

    async def _asked(self, ask: Callable[[], Awaitable[T]], pace: Pace | None = None) -> T:
        for attempt in range(1, self._retries.attempts + 1):
            began_s = time.monotonic()
            try:
                value = await ask()
            except FishgateError as error:
                if pace and isinstance(error, TransientError):
                    pace.was_refused(began_s=began_s)
                wait_s = self._retries.wait_s(error, attempt)
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)
            else:
                if pace:
                    pace.went_well(1, began_s=began_s)
                return value
        raise AssertionError("the last attempt returns or raises")


async def _done(tasks: list[asyncio.Task[T]], *, in_order: bool) -> list[asyncio.Task[T]]:
    """Wait until some may be given, and return them; ``tasks`` are in the order given."""
    if in_order:
        await asyncio.wait(tasks[:1])
        return tasks[:1]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return [task for task in tasks if task in done]
