"""A stand-in for TorchServe's inference API, with a zero-shot that answers as a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["StandInHandler"], None]


class StandIn(ThreadingHTTPServer):
    """Answers each request by the next of ``behaviours``; the last one is used again and again."""

    daemon_threads = False  # so that closing it waits for every request

    def __init__(self, behaviours: tuple[Behaviour, ...]) -> None:
        super().__init__(("127.0.0.1", 0), StandInHandler)
        self.behaviours = list(behaviours)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.released = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_behaviour(self) -> Behaviour:
        with self.lock:
            return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a router that gave up has closed its connection."""


class StandInHandler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with self.server.lock:
            self.server.requests.append((self.path, dict(self.headers), body))
        self.server.next_behaviour()(self)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def says(body: bytes, status: int = 200) -> Behaviour:
    """Answer with this body and status."""

    def answer(handler: StandInHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def waits_then(behaviour: Behaviour) -> Behaviour:
    """Hold the request until the test releases it."""

    def answer(handler: StandInHandler) -> None:
        handler.server.released.wait(30)
        behaviour(handler)

    return answer


def drops(handler: StandInHandler) -> None:
    """End the connection without a word, as a worker's death does."""
    handler.close_connection = True


@contextmanager
def running(*behaviours: Behaviour) -> Iterator[StandIn]:
    """Run a stand-in for as long as the block takes."""
    stand_in = StandIn(behaviours)
    thread = threading.Thread(target=stand_in.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.released.set()
        stand_in.shutdown()
        stand_in.server_close()
        thread.join()
