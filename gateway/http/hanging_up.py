"""Clients that hang up: nobody works on for someone who has gone.

Owns how the end of a connection reaches the work that is done for it.
"""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType

from starlette.types import Receive


class HungUp(Exception):
    """The client has closed the connection. No reply can reach it any more."""


class NoticingHangUp:
    """Cancel the block, and raise HungUp in its place, as soon as the client closes the connection.

    The request's body must have been read; ``receive`` then tells of nothing but the end.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_hung_up = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "only a task can be cancelled"
        self._task = task
        self._watch = asyncio.create_task(self._wait_for_the_end())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        if self._has_hung_up and isinstance(error, asyncio.CancelledError):
            if sys.version_info >= (3, 11):
                self._task.uncancel()
            raise HungUp from None

    async def _wait_for_the_end(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._has_hung_up = True
        self._task.cancel()
