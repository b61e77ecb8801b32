"""A real HTTP server before the fake engine, in a thread of its own, for tests that speak to it over sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests

from fishgate.list_folder import ListFolder
from gateway.access_log import AccessLog
from gateway.app import make_app
from gateway.entrance import Entrance
from gateway.http.server import HttpServer
from gateway.metrics import Metrics
from gateway.readiness import Readiness
from gateway.service import Service
from gateway.settings import Settings
from gateway.spans import NoSpans, Spans
from tests.gateway.fake_engine import FakeEngine

T = TypeVar("T")


class Door:
    """A running server. What belongs to its event loop is reached through ``do`` and ``call``."""

    def __init__(self, settings: Settings, engine: FakeEngine, spans: Spans) -> None:
        self.settings = settings
        self.engine = engine
        self._spans = spans
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http door", daemon=True)
        self._thread.start()
        self.do(self._start())
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.address = ("127.0.0.1", self.server.port)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the server's event loop."""

        async def called() -> T:
            return function()

        return self.do(called())

    def begin(self, work: Coroutine[Any, Any, T]) -> Any:
        """Start a coroutine in the server's event loop; return its future."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def hold(self) -> asyncio.Event:
        """Keep back all answers until ``release``; return the event that tells that the engine was asked."""

        def keep() -> asyncio.Event:
            self.engine.hold = asyncio.Event()
            self.engine.started = asyncio.Event()
            return self.engine.started

        return self.call(keep)

    def asked(self) -> None:
        """Wait until the engine was asked."""
        assert self.engine.started is not None
        self.do(asyncio.wait_for(self.engine.started.wait(), 20))

    def release(self) -> None:
        """Let all answers go."""
        assert self.engine.hold is not None
        self.call(self.engine.hold.set)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so in the server."""

        async def wait() -> None:
            while not is_so():
                await asyncio.sleep(0.005)

        self.do(asyncio.wait_for(wait(), 20))

    def post(self, picture: bytes, path: str = "/v1/identify", **arguments: Any) -> requests.Response:
        """Send a picture as raw body."""
        return requests.post(f"{self.url}{path}", data=picture, timeout=30, **arguments)

    def get(self, path: str, **arguments: Any) -> requests.Response:
        """Ask for an address."""
        return requests.get(f"{self.url}{path}", timeout=30, **arguments)

    def close(self) -> None:
        """Stop the server and its loop."""
        if self.engine.hold is not None:
            self.release()
        self.do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self.metrics = Metrics()
        self.readiness = Readiness(self.engine.probe, try_again_s=0.01)
        self.entrance = Entrance(self.settings)
        self.log = AccessLog(self.settings.access_log)
        self.service = Service(self.settings, self.engine, self.entrance, self.metrics, self.readiness)
        lists = ListFolder(self.settings.species_lists)
        app = make_app(self.service, lists=lists, log=self.log, spans=self._spans)
        self.server = HttpServer(app, self.settings, self.entrance.draining, most_connections=1_000_000)
        await self.server.start()
        self._watching = asyncio.create_task(self.readiness.watch())

    async def _stop(self) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self.server.stop()
        self.log.close()


@contextmanager
def open_door(
    home: Path, *, engine: FakeEngine | None = None, spans: Spans | None = None, **settings: Any
) -> Iterator[Door]:
    """Run a server for as long as the block takes; its log lies in ``home / "access.log"``."""
    told = {"home": home, "port": 0, "access_log": str(home / "access.log"), **settings}
    door = Door(Settings.model_validate(told), engine or FakeEngine(), spans or NoSpans())
    try:
        yield door
    finally:
        door.close()
