"""A small model hub in a thread: just what ``huggingface_hub`` asks for one model's download."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fishgate.model_card import sha256_of

_CHUNK = 1 << 20
FIRST_COMMIT = "1" * 40
SECOND_COMMIT = "2" * 40


@dataclass
class Repository:
    """One model repository: files by commit. ``main`` is the newest commit."""

    commits: dict[str, dict[str, Path]] = field(default_factory=dict)

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a revision, or None."""
        if revision == "main":
            return list(self.commits)[-1]
        return revision if revision in self.commits else None


class HubStandIn(ThreadingHTTPServer):
    """The server; tests set its troubles and read its log."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, range
        self.break_off_after: int | None = None  # bytes of a body, then the connection is cut, for ever
        self.status: int | None = None  # answer everything with it
        self.lie_about_hashes = False
        self._hashes: dict[Path, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def publish(self, repository: str, commit: str, *files: Path) -> None:
        self.publish_as(repository, commit, {file.name: file for file in files})

    def publish_as(self, repository: str, commit: str, files: dict[str, Path]) -> None:
        """Publish files under names of their own; a data set's repository begins with ``datasets/``."""
        self.repositories.setdefault(repository, Repository()).commits[commit] = files

    def downloads(self) -> list[str]:
        """Return the names of the files whose bodies were asked for."""
        return [path.rsplit("/", 1)[-1] for method, path, _ in self.requests if method == "GET" and "/resolve/" in path]

    def hash_of(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = sha256_of(path)
        return hashlib.sha256().hexdigest() if self.lie_about_hashes else self._hashes[path]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


@contextmanager
def running_hub() -> Iterator[HubStandIn]:
    server = HubStandIn()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HubStandIn
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append((self.command, path, self.headers.get("Range")))
        if self.server.status is not None:
            return self._refuse(self.server.status)
        if found := re.fullmatch(r"/api/(?:models/|(?=datasets/))(.*?[^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self._tell(found[1], found[2] or "main")
        if found := re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._give(found[1], found[2], found[3])
        return self._refuse(404)

    def _tell(self, name: str, revision: str) -> None:
        repository = self.server.repositories.get(name)
        if repository is None:
            return self._refuse(404, "RepoNotFound")
        commit = repository.resolve(revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        body = json.dumps(
            {
                "id": name,
                "modelId": name,
                "sha": commit,
                "private": False,
                "tags": [],
                "downloads": 0,
                "likes": 0,
                "siblings": [self._described(*file) for file in repository.commits[commit].items()],
            }
        )
        self._send(body.encode(), {"Content-Type": "application/json"})

    def _described(self, name: str, file: Path) -> dict[str, object]:
        size = file.stat().st_size
        if file.suffix == ".json":
            return {"rfilename": name, "size": size, "blobId": "0" * 40}
        lfs = {"sha256": self.server.hash_of(file), "size": size, "pointerSize": 130}
        return {"rfilename": name, "size": size, "blobId": "0" * 40, "lfs": lfs}

    def _give(self, name: str, revision: str, file_name: str) -> None:
        repository = self.server.repositories.get(name)
        commit = repository.resolve(revision) if repository else None
        file = repository.commits[commit].get(file_name) if repository and commit else None
        if file is None or commit is None:
            return self._refuse(404, "EntryNotFound")
        size = file.stat().st_size
        found = re.fullmatch(r"bytes=(\d+)-(\d+)?", self.headers.get("Range") or "")
        start, end = (int(found[1]), int(found[2] or size - 1) + 1) if found else (0, size)
        self.send_response(206 if found else 200)
        if found:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        for key, value in {
            "ETag": f'"{self.server.hash_of(file)}"',
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
            "Content-Length": str(end - start),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self._stream(file, start, end)

    def _stream(self, file: Path, start: int, end: int) -> None:
        is_cut = self.server.break_off_after is not None
        left = min(end - start, self.server.break_off_after or 0) if is_cut else end - start
        with file.open("rb") as source:
            source.seek(start)
            while chunk := source.read(min(_CHUNK, left)):
                self.wfile.write(chunk)
                left -= len(chunk)
        if is_cut:
            self.close_connection = True

    def _refuse(self, status: int, code: str | None = None) -> None:
        self._send(b"{}", {"X-Error-Code": code} if code else {}, status=status)

    def _send(self, body: bytes, headers: dict[str, str], *, status: int = 200) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
