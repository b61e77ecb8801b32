"""A client that costs little, in a process of its own: what it saves of the processor is the servers'.

HTTP/1.1 over one kept-alive connection for each client, replies looked at but not parsed as JSON. Each picture
differs from every other in its bytes (a comment in the file), so that no server can answer from memory.
``send_quickly`` starts that process; run as a module, this file is it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httptools
import uvloop

from benchmarks.distinct import numbered
from benchmarks.load import Run, Sample
from benchmarks.measure_losses import is_deferred
from benchmarks.outcome import MeasurementError
from benchmarks.pictures import bright_picture, dark_picture
from server.bootstrap import ROOT

_FLAGS = ("deferred", "degraded")


@dataclass(frozen=True)
class Load:
    """Closed loop: ``clients`` requests are under way for ``seconds``, and ``deferred`` is a fraction of them.

    After ``count`` requests no more are begun, if it is given. ``first`` is the number that the first picture bears;
    give each load its own, or pictures come again. ``expected`` stands in the body of a good reply.
    """

    port: int
    path: str
    clients: int
    seconds: float
    count: int | None = None
    deferred: float = 0.0
    first: int = 0
    token: str = ""
    expected: str = '"label"'


@dataclass(frozen=True)
class Sent:
    """What came of a load, and the processor time that the client itself took (seconds)."""

    run: Run
    client_cpu_s: float


def send_quickly(load: Load, *, limit_s: float = 120.0) -> Sent:
    """Send the load from a process of its own; raise MeasurementError if that fails."""
    command = [sys.executable, "-m", "benchmarks.quick_client", json.dumps(vars(load))]
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=load.seconds + limit_s, check=True
        )
    except subprocess.SubprocessError as error:
        raise MeasurementError(f"the client failed ({type(error).__name__})") from error
    value = json.loads(done.stdout.splitlines()[-1])
    return Sent(Run([Sample(**one) for one in value["samples"]], value["seconds"]), value["cpu_s"])


@dataclass
class _Connection(asyncio.Protocol):
    """One connection: ``ask`` sends a request and waits for its reply; one at a time."""

    head: bytes
    is_open: bool = True
    _body: bytearray = field(default_factory=bytearray)
    _reply: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)

    def ask(self, body: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Return what will be status and body of the reply, or a ConnectionError."""
        self._reply = asyncio.get_running_loop().create_future()
        self._body = bytearray()
        self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (self.head, len(body), body))
        return self._reply

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self.is_open = self.is_open and self._parser.should_keep_alive()
        if self._reply and not self._reply.done():
            self._reply.set_result((self._parser.get_status_code(), bytes(self._body)))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._reply and not self._reply.done():
            self._reply.set_exception(ConnectionResetError("the server closed the connection"))


async def send(load: Load) -> Run:
    """Send the load from this process; return every sample."""
    run, started_s = Run(), time.perf_counter()
    bodies = _bodies(load, until_s=started_s + load.seconds)
    await asyncio.gather(*(_client(load, bodies, run, started_s) for _ in range(load.clients)))
    run.seconds = time.perf_counter() - started_s
    return run


async def _client(load: Load, bodies: Iterator[tuple[int, bytes]], run: Run, run_started_s: float) -> None:
    connection: _Connection | None = None
    for index, body in bodies:
        started_s = time.perf_counter()
        answer, failure = None, None
        try:
            connection = connection if connection and connection.is_open else await _connected(load)
            status, reply = await connection.ask(body)
            answer, failure = _judged(load, status, reply)
        except OSError as error:
            failure = type(error).__name__
        run.samples.append(Sample(index, time.perf_counter() - started_s, answer, failure, started_s - run_started_s))
    if connection:
        connection.close()


async def _connected(load: Load) -> _Connection:
    authorization = f"Authorization: Bearer {load.token}\r\n" if load.token else ""
    head = f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n{authorization}".encode()
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: _Connection(head), "127.0.0.1", load.port
    )
    return connection


def _bodies(load: Load, *, until_s: float) -> Iterator[tuple[int, bytes]]:
    bright, dark = bright_picture(), dark_picture()
    for index in itertools.count() if load.count is None else range(load.count):
        if time.perf_counter() >= until_s:
            return
        picture = dark if is_deferred(index, load.deferred) else bright
        yield index, numbered(picture, load.first + index)


def _judged(load: Load, status: int, body: bytes) -> tuple[dict[str, Any] | None, str | None]:
    if status != 200 or load.expected.encode() not in body:
        return None, f"{status} {body[:200].decode(errors='replace')}"
    return {name: b'"%b":true' % name.encode() in body for name in _FLAGS}, None


def main() -> None:
    """Send the load that the argument describes and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("load", type=lambda text: Load(**json.loads(text)), help="a load as JSON")
    load = parser.parse_args().load
    cpu_before_s = time.process_time()
    run = uvloop.run(send(load))
    cpu_s = time.process_time() - cpu_before_s
    # Not print: where PYTHONUNBUFFERED is set, a long text is cut off when the pipe is full.
    with open(sys.stdout.fileno(), "w", closefd=False) as output:
        json.dump({"samples": [vars(one) for one in run.samples], "seconds": run.seconds, "cpu_s": cpu_s}, output)


if __name__ == "__main__":
    main()
