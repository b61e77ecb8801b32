"""A small Fishgate to be watched: a real gateway, stand-ins for TorchServe and its metrics port, and pictures for it.

Owns what a test can do to it. Everything runs on free ports of this machine.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import requests
from PIL import Image

from benchmarks.distinct import numbered
from fishgate.packet import write_replies
from server.configuration import free_ports
from tests.conftest import ROOT, encoded
from tests.gateway.torchserve_stand_in import EXPERT, StandIn, toy_opinion
from tests.gateway.torchserve_stand_in import running as running_stand_in

BRIGHT = encoded(Image.new("RGB", (16, 12), "white"), "JPEG")
DARK = encoded(Image.new("RGB", (16, 12), "black"), "JPEG")
AGREES = write_replies([toy_opinion(EXPERT, bright=True)])
"""What a zero-shot says that agrees with the expert about a bright picture; the stand-in's own never does."""

_PAGE = """\
# TYPE WorkerLoadTime gauge
WorkerLoadTime{{WorkerName="W-9000-zero_shot_1.0",Level="Host",Hostname="vm",}} 31349.0
WorkerLoadTime{{WorkerName="W-9001-fish__expert_1.0",Level="Host",Hostname="vm",}} {load_time}
# TYPE fishgate_java_threads gauge
fishgate_java_threads{{Hostname="vm",}} {threads}
# TYPE fishgate_java_started_seconds gauge
fishgate_java_started_seconds{{Hostname="vm",}} 380.5
# TYPE fishgate_batches_total counter
fishgate_batches_total{{model="expert",size="1",Hostname="vm",}} {batches}
# TYPE PredictionTime gauge
PredictionTime{{ModelName="fish__expert",Level="Model",Hostname="vm",}} 12.57
# TYPE Requests2XX counter
Requests2XX{{Level="Host",Hostname="vm",}} {batches}
# TYPE Requests5XX counter
"""


@dataclass
class TorchServePage:
    """TorchServe's metrics port, with the lines of the real one that somebody reads."""

    load_time_ms: float = 25423.0
    threads: int = 44
    reads: int = 0
    port: int = 0

    def text(self) -> str:
        """Return the page; each look finds one batch more."""
        self.reads += 1
        return _PAGE.format(load_time=self.load_time_ms, threads=self.threads, batches=self.reads)

    @contextmanager
    def served(self) -> Iterator[TorchServePage]:
        """Serve it as long as the block takes."""
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = page.text().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, name="metrics page", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass
class Stream:
    """Clients that send pictures, as many at a time as there are clients; a test turns all while it runs.

    ``pictures`` come in turn; each time the file differs, so that nothing is answered from memory.
    """

    url: str
    pictures: tuple[bytes, ...] = (BRIGHT,)
    clients: int = 2
    is_over: bool = False
    codes: dict[int, int] = field(default_factory=dict)
    sent: int = 0

    @contextmanager
    def flowing(self) -> Iterator[Stream]:
        """Send as long as the block takes."""
        thread = threading.Thread(target=lambda: asyncio.run(self._send()), name="stream", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.is_over = True
            thread.join()

    async def _send(self) -> None:
        limit = aiohttp.ClientTimeout(total=40.0)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=limit) as session:
            clients: set[asyncio.Task[None]] = set()
            while not self.is_over:
                while len(clients) < self.clients:
                    clients.add(asyncio.create_task(self._ask(session)))
                _, clients = await asyncio.wait(clients, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        self.sent += 1
        picture = numbered(self.pictures[self.sent % len(self.pictures)], self.sent)
        try:
            async with session.post(f"{self.url}/v1/identify", data=picture) as reply:
                await reply.read()
                self.codes[reply.status] = self.codes.get(reply.status, 0) + 1
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)  # it is not there any more, or not yet
        await asyncio.sleep(0.03)  # so that few clients leave the gateway's processor at rest


@dataclass(frozen=True)
class System:
    """What a test can look at and do harm to."""

    models: StandIn
    page: TorchServePage
    stream: Stream
    gateway: subprocess.Popen[bytes]
    gateway_address: str
    page_address: str


@contextmanager
def running_system(home: Path) -> Iterator[System]:
    """Run the system, with pictures flowing, as long as the block takes.

    They are bright: zero-shot is asked for second opinions alone, one at a time, and agrees.
    """
    with ExitStack() as stack:
        models = stack.enter_context(running_stand_in())
        models.zero_shot.raw_reply = AGREES
        page = stack.enter_context(TorchServePage().served())
        port = free_ports().gateway
        gateway = stack.enter_context(_running_gateway(home, port, models.url))
        stream = stack.enter_context(Stream(f"http://127.0.0.1:{port}").flowing())
        yield System(models, page, stream, gateway, f"127.0.0.1:{port}", f"127.0.0.1:{page.port}")


@contextmanager
def _running_gateway(home: Path, port: int, torchserve_url: str) -> Iterator[subprocess.Popen[bytes]]:
    own = {
        "HOME": home,
        "PORT": port,
        "GRPC_PORT": 0,
        "TORCHSERVE_URL": torchserve_url,
        "ACCESS_LOG": home / "access.log",
        "SHADOW_SHARE": 0.2,
        "ZERO_SHOT_LIMIT_S": 2.0,
    }
    environment = {**os.environ, **{f"FISHGATE_GATEWAY_{name}": str(value) for name, value in own.items()}}
    with (home / "gateway.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "gateway"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz", process, home / "gateway.log")
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + 120.0
    while process.poll() is None and time.monotonic() < until_s:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass  # not up yet
        time.sleep(0.05)
    raise AssertionError(f"the gateway does not run:\n{log.read_text()[-2000:]}")
