"""A stand-in for the gateway: serves the page's files under its strict policy, and canned replies.

What a picture is answered with is told by the first word of its name: ``sure-3.jpg`` is sure,
``damaged_image.jpg`` gets that error, ``slow-1.jpg`` waits until it is released, ``busy-1.jpg`` is put off once.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.conftest import ROOT
from tests.gateway.page.replies import ANSWERS, ERRORS, MODELS, species

PAGE = ROOT / "gateway" / "page"
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)


@dataclass(frozen=True)
class Asked:
    """One picture as it reached the server."""

    name: str
    size_bytes: int
    options: dict[str, str]


@dataclass
class StandIn:
    """The server's address, what it was asked, and how it shall behave."""

    address: str = ""
    key: str | None = None
    are_models_there: bool = True
    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0
    retry_after: str = "1"
    _at_once: int = 0
    _slow_are_held: bool = True
    _loop: asyncio.AbstractEventLoop | None = None
    _released: asyncio.Event | None = None

    def reset(self) -> None:
        """Forget what was, and hold slow pictures again."""
        self.release()
        self.key, self.are_models_there, self.retry_after = None, True, "1"
        self.asked, self.most_at_once, self._slow_are_held = [], 0, True

    def release(self) -> None:
        """Answer the slow pictures, those that wait and those that come."""
        self._slow_are_held = False
        if self._loop is not None and self._released is not None:
            self._loop.call_soon_threadsafe(self._released.set)

    def names(self) -> Counter[str]:
        return Counter(asked.name for asked in self.asked)

    async def identify(self, request: Request) -> Response:
        """Answer as the picture's name says."""
        if (refusal := self.refusal(request)) is not None:
            return refusal
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._reply(await self._read(request))
        finally:
            self._at_once -= 1

    async def _read(self, request: Request) -> Asked:
        async with request.form() as form:
            picture = form["data"]
            assert isinstance(picture, UploadFile)
            options = {name: str(value) for name, value in form.items() if name != "data"}
            asked = Asked(picture.filename or "", len(await picture.read()), options)
        self.asked.append(asked)
        return asked

    async def _reply(self, asked: Asked) -> Response:
        word = re.split(r"[-.]", asked.name.rpartition("/")[2])[0]
        if word == "slow":
            await self._wait()
        if word == "busy" and self.names()[asked.name] == 1:
            return error("overloaded", {"Retry-After": self.retry_after})
        if word == "proxy":
            return Response("<h1>Bad gateway</h1>", 500, {"X-Request-Id": "from-a-proxy"})
        if word in ERRORS:
            return error(word, {"X-Request-Id": "request-7"})
        return JSONResponse({**ANSWERS.get(word, ANSWERS["sure"])})

    async def _wait(self) -> None:
        if self._slow_are_held:
            self._loop = asyncio.get_running_loop()
            self._released = self._released if self._released and not self._released.is_set() else asyncio.Event()
            await self._released.wait()

    async def models(self, request: Request) -> Response:
        if not self.are_models_there:
            return error("overloaded", {})
        return self.refusal(request) or JSONResponse(MODELS)

    async def species(self, request: Request) -> Response:
        return self.refusal(request) or JSONResponse(species(request.query_params.get("list")))

    def refusal(self, request: Request) -> Response | None:
        """The error for a request without the right key, if one is wanted."""
        is_allowed = self.key is None or request.headers.get("Authorization") == f"Bearer {self.key}"
        return None if is_allowed else error("unauthorised", {"WWW-Authenticate": "Bearer"})


def error(code: str, headers: dict[str, str]) -> Response:
    status, message = ERRORS[code]
    body = {"error": {"status": status, "code": code, "message": message}}
    return JSONResponse(body, status, headers)


def under_policy(app: ASGIApp) -> ASGIApp:
    """The app, each reply of which carries the policy."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"content-security-policy", POLICY.encode()))
            await send(message)

        await app(scope, receive, send_on)

    return call


def application(stand_in: StandIn) -> Starlette:
    return Starlette(
        routes=[
            Route("/", lambda request: FileResponse(PAGE / "index.html")),
            Mount("/page", StaticFiles(directory=PAGE)),
            Route("/v1/identify", stand_in.identify, methods=["POST"]),
            Route("/v1/models", stand_in.models),
            Route("/v1/species", stand_in.species),
            Route("/livez", lambda request: JSONResponse({"status": "alive"})),
        ],
    )


@contextmanager
def running() -> Iterator[StandIn]:
    """Serve on a free port of this machine until the block ends."""
    stand_in = StandIn()
    listening = socket.create_server(("127.0.0.1", 0))
    stand_in.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(under_policy(application(stand_in)), log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.release()
        server.should_exit = True
        thread.join()
        listening.close()
