"""The quick client: it sends what it is told to, and tells what came."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from aiohttp import web

from benchmarks.load import Run
from benchmarks.outcome import MeasurementError
from benchmarks.pictures import bright_picture, dark_picture
from benchmarks.quick_client import Load, send, send_quickly

CONFIDENT = '{"label":"Tench","deferred":false,"degraded":false}'
DEFERRED = '{"label":"Tench","deferred":true,"degraded":true}'


class Server:
    """Keeps what it was sent, and answers as its path says."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.tokens: set[str | None] = set()

    async def identify(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.tokens.add(request.headers.get("Authorization"))
        is_dark = self.bodies[-1].endswith(dark_picture()[-100:])
        return web.Response(text=DEFERRED if is_dark else CONFIDENT)

    async def refuse(self, request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=503, text="too much to do")

    async def close(self, request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@contextmanager
def served(server: Server) -> Iterator[int]:
    """Serve on a free port, in a loop of its own; give the port."""
    loop = asyncio.new_event_loop()
    application = web.Application()
    application.add_routes([web.post(f"/{name}", getattr(server, name)) for name in ("identify", "refuse", "close")])
    runner = web.AppRunner(application)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def sent(port: int, path: str, *, count: int = 20, **changes: object) -> Run:
    return asyncio.run(send(Load(port, path, clients=4, seconds=60.0, count=count, **changes)))  # type: ignore[arg-type]


def test_what_came_is_told_apart() -> None:
    server = Server()
    with served(server) as port:
        run = sent(port, "/identify", deferred=0.25, token="key")
    assert len(run.samples) == len(server.bodies) == len(set(server.bodies)) == 20
    assert server.tokens == {"Bearer key"}
    deferred = [sample for sample in run.samples if sample.is_flagged("deferred")]
    assert len(deferred) == 5
    assert all(sample.is_flagged("degraded") for sample in deferred)
    assert run.lost == []
    assert sorted(sample.index for sample in run.samples) == list(range(len(run.samples)))


def test_pictures_of_another_load_differ() -> None:
    server = Server()
    with served(server) as port:
        first, second = sent(port, "/identify"), sent(port, "/identify", first=1_000_000)
    assert len(set(server.bodies)) == len(first.samples) + len(second.samples) == 40
    assert all(body.endswith(bright_picture()[2:]) for body in server.bodies)


@pytest.mark.parametrize(
    ("path", "expected", "failure"),
    [
        ("/refuse", '"label"', "503 too much to do"),
        ("/identify", '"candidates"', f"200 {CONFIDENT}"),
        ("/close", '"label"', "ConnectionResetError"),
    ],
    ids=["refused", "something else", "closed"],
)
def test_what_is_no_answer_is_lost(path: str, expected: str, failure: str) -> None:
    with served(Server()) as port:
        run = sent(port, path, expected=expected)
    assert len(run.lost) == len(run.samples) == 20
    assert {sample.failure for sample in run.lost} == {failure}


def test_a_server_that_is_not_there_loses_the_request() -> None:
    assert {sample.failure for sample in sent(9, "/identify").lost} == {"ConnectionRefusedError"}


def test_it_runs_in_a_process_of_its_own() -> None:
    with served(Server()) as port:
        found = send_quickly(Load(port, "/identify", clients=2, seconds=60.0, count=5))
    assert [sample.index for sample in found.run.samples] == list(range(5))
    assert not found.run.lost
    assert found.client_cpu_s > 0


def test_a_client_that_fails_is_told() -> None:
    with pytest.raises(MeasurementError, match="the client failed"):
        send_quickly(Load(9, "/identify", clients=1, seconds=60.0, first=-1))


def test_sending_ends_after_the_time() -> None:
    with served(Server()) as port:
        run = asyncio.run(send(Load(port, "/identify", clients=2, seconds=0.1)))
    assert run.seconds >= 0.1
    assert run.samples
