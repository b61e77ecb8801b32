"""HTTP by hand, for tests of what a well-behaved client would never do."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

from tests.gateway.http_door import Door


def connected(door: Door, *, timeout_s: float = 20.0) -> socket.socket:
    """Return a connection to the door."""
    return socket.create_connection(door.address, timeout=timeout_s)


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    """Return request line and headers."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: fish", *headers, "", ""]).encode()


def form_head(path: str, length: int | None) -> bytes:
    """Return the head of a form with the boundary ``fish``; without a length it comes in chunks."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return head(path, "Content-Type: multipart/form-data; boundary=fish", size)


def part(disposition: str, content: bytes) -> bytes:
    """Return a part of a form."""
    return f"--fish\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    """Return a whole form."""
    return b"".join(parts) + b"--fish--\r\n"


def reply_of(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one reply with a Content-Length: status, headers, body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    top, _, body = data.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += _received(connection)
    return int(status.split()[1]), headers, body


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side closes; whatever it still says is thrown away."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True


def lines_of(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """Read the JSON lines of a reply in chunks as they come."""
    data = b""
    while True:
        data += _received(connection)
        *whole, data = data.split(b"\r\n")
        for one in whole:
            if one.startswith(b'{"index"'):
                yield json.loads(one)
            elif one == b"0":  # the last chunk
                return


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise EOFError("the connection was closed before the reply was whole")
    return data
