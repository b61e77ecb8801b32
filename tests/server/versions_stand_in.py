"""A stand-in for TorchServe with versions of models: the part of its two APIs by which they are changed.

Over real sockets, in threads of its own. A test says which requests fail, and which are held until it lets them go.
"""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

GOLD = "Gold Fish"


@dataclass
class Held:
    """Requests whose method and path begin so wait; ``reached`` tells that one does."""

    prefix: str
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)


class VersionsStandIn:
    """Models with their versions; the first one is the default. ``labels`` is what a version answers, else gold."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.versions = {name: ["1.0"] for name in ("fish__expert", "zero_shot")}
        self.default = dict.fromkeys(self.versions, "1.0")
        self.labels: dict[str, str] = {}
        self.failing: list[str] = []
        self.held: Held | None = None
        self.calls: list[str] = []
        self.workers = 2
        self.status = "READY"
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, value = stand_in.reply(self.command, self.path, body)
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None: ...

        for method in ("GET", "POST", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler._reply)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def reply(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        call = f"{method} {parts.path}"
        self.calls.append(call)
        if self.held is not None and call.startswith(self.held.prefix):
            self.held.reached.set()
            self.held.go.wait(60)
        if any(call.startswith(prefix) for prefix in self.failing):
            return 500, {"code": 500, "type": "InternalServerException", "message": "as the test wants it"}
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return self._route(method, [part for part in parts.path.split("/") if part], asked)

    def _route(self, method: str, path: list[str], asked: dict[str, str]) -> tuple[int, Any]:
        if method == "POST" and path == ["models"]:
            return self._register(asked["url"], asked["model_name"])
        name, version = path[1], path[2] if len(path) > 2 else self.default[path[1]]
        if version == "all":
            return 200, [self._describe(name, one) for one in self.versions[name]]
        if version not in self.versions[name]:
            return 404, {"code": 404, "type": "ModelVersionNotFoundException", "message": f"no {version}"}
        if path[0] == "predictions":
            return 200, {"source": "expert", "candidates": [{"label": self.labels.get(version, GOLD)}]}
        return self._manage(method, name, version, path)

    def _manage(self, method: str, name: str, version: str, path: list[str]) -> tuple[int, Any]:
        if method == "PUT" and path[-1] == "set-default":
            self.default[name] = version
        if method == "DELETE" and self.default[name] == version:
            return 403, {
                "code": 403,
                "type": "InvalidModelVersionException",
                "message": "Cannot remove default version",
            }
        if method == "DELETE":
            self.versions[name].remove(version)
        return 200, [self._describe(name, version)] if method == "GET" else {"status": "done"}

    def _register(self, archive: str, name: str) -> tuple[int, Any]:
        with zipfile.ZipFile(self.store / archive) as opened:
            version = json.loads(opened.read("MAR-INF/MANIFEST.json"))["model"]["modelVersion"]
        if version in self.versions[name]:
            return 409, {"code": 409, "type": "ConflictStatusException", "message": "already registered"}
        self.versions[name].append(version)
        return 200, {"status": "registered"}

    def _describe(self, name: str, version: str) -> dict[str, Any]:
        worker = {"id": "9000", "status": self.status, "pid": 1}
        return {
            "modelName": name,
            "modelVersion": version,
            "minWorkers": self.workers,
            "batchSize": 8,
            "maxBatchDelay": 1,
            "workers": [worker] * self.workers,
            "jobQueueStatus": {"remainingCapacity": 100, "pendingRequests": 0},
        }


@contextmanager
def running(store: Path) -> Iterator[VersionsStandIn]:
    """Run a stand-in for as long as the block takes."""
    stand_in = VersionsStandIn(store)
    thread = threading.Thread(target=stand_in.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield stand_in
    finally:
        if stand_in.held is not None:
            stand_in.held.go.set()
        stand_in.server.shutdown()
        thread.join()
        stand_in.server.server_close()
