"""A small real HTTP server in the place of gateway and TorchServe.

It answers by what a picture holds, and fails on order.

A picture that ends in ``#name`` gets the reply of that name, every other one is a carp. ``StandIn.troubles`` holds what
happens to the next requests, one after the other.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.client.replies import ANSWER, ERRORS, REPLIES, SPECIES, error
from tests.client.troubles import Trouble

KEY = "let-me-in"


@dataclass
class StandIn:
    """What the server does, and what it has seen."""

    url: str = ""
    key: str | None = None
    version: str = "toy-1"
    troubles: deque[Trouble] = field(default_factory=deque)
    batch_troubles: deque[Trouble] = field(default_factory=deque)
    """The same for requests with several pictures."""

    asked: Counter[bytes] = field(default_factory=Counter)
    """How often each picture was answered, well or badly."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    """Path, headers, query and form of each request to identify, in order."""

    hold_after: int | None = None
    """After so many answers all further ones wait, until this is None again."""

    most_at_once: int = 0
    _at_once: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int, limit_s: float = 60.0) -> None:
        """Wait until so many pictures were answered."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.asked.total() >= count, limit_s), "it never came so far"

    def reply(self, picture: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and JSON for a picture."""
        with self._changed:
            self.asked[picture] += 1
            self._changed.notify_all()
        if not picture:
            return error(400, "empty_image", "the picture is empty")
        found = re.search(rb"#([a-z]+)$", picture)
        word = found[1].decode() if found else ""
        if word in ERRORS:
            return error(*ERRORS[word])
        answer = {**ANSWER, **REPLIES.get(word, {})}
        models = {name: version and self.version for name, version in answer["models"].items()}
        return 200, {**answer, "models": models}

    async def held(self) -> None:
        """Wait while answers are held back."""
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            while self.hold_after is not None and self.asked.total() >= self.hold_after:
                await asyncio.sleep(0.01)
        finally:
            self._at_once -= 1


@contextmanager
def running(**settings: Any) -> Iterator[StandIn]:
    """Run a stand-in in a thread, on a free port."""
    stand_in, is_ready = StandIn(**settings), threading.Event()
    loop = asyncio.new_event_loop()

    async def start() -> None:
        # Cancelled, so that nothing more is answered to a client that was killed.
        runner = web.AppRunner(_application(stand_in), shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        is_ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            await site.stop()
            await _break_off(runner)
            await runner.cleanup()
            await _turns()

    task = loop.create_task(start())
    thread = threading.Thread(target=lambda: _run(loop, task))
    thread.start()
    assert is_ready.wait(30)
    try:
        yield stand_in
    finally:
        stand_in.hold_after = None
        loop.call_soon_threadsafe(task.cancel)
        thread.join(30)


def _run(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        pass
    finally:
        loop.close()


async def _break_off(runner: web.AppRunner) -> None:
    """End every connection, also one that is just being made or waits for a client that reads no more."""
    await _turns()  # what was accepted becomes a connection: cancelled before, its socket would stay open
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    assert runner.server is not None
    for connection in runner.server.connections:
        if connection.transport is not None:
            connection.transport.abort()
    await _turns()


async def _turns() -> None:
    """Let the loop do what is due, and what becomes due by that."""
    for _ in range(10):
        await asyncio.sleep(0)


def _application(stand_in: StandIn) -> web.Application:
    application = web.Application(client_max_size=10**9, middlewares=[_guard(stand_in)])
    answers = _Answers(stand_in)
    application.router.add_post("/v1/identify", answers.one)
    application.router.add_post("/v1/identify/batch", answers.batch)
    application.router.add_get("/v1/models", answers.models)
    application.router.add_get("/v1/species", answers.species)
    application.router.add_get("/livez", answers.live)
    application.router.add_get("/ping", answers.live)
    application.router.add_post("/wfpredict/fish", answers.workflow)
    return application


def _guard(stand_in: StandIn) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        if stand_in.key and request.headers.get("Authorization") != f"Bearer {stand_in.key}":
            return web.json_response(error(401, "unauthorised", "give a key")[1], status=401)
        troubles = stand_in.batch_troubles if request.path.endswith("/batch") else stand_in.troubles
        if request.method == "POST" and troubles:
            response = await troubles.popleft()(request)
            if response is not None:
                return response
        return await handler(request)

    return guard


class _Answers:
    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in

    async def one(self, request: web.Request) -> web.StreamResponse:
        picture = (await self._read(request))[0]
        await self.stand_in.held()
        status, value = self.stand_in.reply(picture)
        return web.json_response(value, status=status, headers={"X-Request-Id": "r-1"})

    async def batch(self, request: web.Request) -> web.StreamResponse:
        pictures = await self._read(request)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for index, picture in enumerate(pictures):
            await self.stand_in.held()
            _, value = self.stand_in.reply(picture)
            value = value if "error" in value else {"answer": value}
            await response.write(json.dumps({"index": index, "file": str(index), **value}).encode() + b"\n")
        return response

    async def workflow(self, request: web.Request) -> web.StreamResponse:
        picture = (await self._read(request))[0]
        await self.stand_in.held()
        return web.json_response(self.stand_in.reply(picture)[1])

    async def models(self, request: web.Request) -> web.StreamResponse:
        model = {"name": "toy", "version": self.stand_in.version, "gate": {"threshold": 0.9, "certificate": None}}
        return web.json_response({"expert": model, "zero_shot": model, "species_lists": ["north"], "newer": 1})

    async def species(self, request: web.Request) -> web.StreamResponse:
        species = [{**one, "models": ["expert"]} for one in SPECIES]
        return web.json_response({"species": species[:1] if request.query.get("list") else species})

    async def live(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "alive"})

    async def _read(self, request: web.Request) -> list[bytes]:
        seen: dict[str, Any] = {"path": request.path, "headers": dict(request.headers), "form": dict(request.query)}
        self.stand_in.requests.append(seen)
        if not request.content_type.startswith("multipart/"):
            return [await request.read()]
        pictures = []
        async for part in await request.multipart():
            assert part.name is not None
            if part.name == "data":
                pictures.append(bytes(await part.read()))
            else:
                seen["form"][part.name] = await part.text()
        return pictures
