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
from pathlib import Path

import aiohttp
import requests
from PIL import Image

from benchmarks.distinct import numbered
from fishgate.packet import write_replies
from server.configuration import free_ports
from tests.conftest import ROOT, encoded
from tests.deploy.prometheus_page import TorchServePage
from tests.gateway.torchserve_stand_in import EXPERT, StandIn, toy_opinion
from tests.gateway.torchserve_stand_in import running as running_stand_in

BRIGHT = encoded(Image.new("RGB", (16, 12), "white"), "JPEG")
DARK = encoded(Image.new("RGB", (16, 12), "black"), "JPEG")
AGREES = write_replies([toy_opinion(EXPERT, bright=True)])
"""What a zero-shot says that agrees with the expert about a bright picture; the stand-in's own never does."""


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
