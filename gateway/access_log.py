"""The access log: one line of JSON for each request.

Owns what stands in a line and how lines reach the file without anybody waiting for the disk. A line never holds
what was in a picture, a label, an option's value or a key.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from gateway.redaction import without_keys

_FLUSH_EVERY_S = 0.25
_MOST_CHUNKS = 40
"""Chunks that may wait while the disk or the reader of a pipe is stuck; what is beyond is counted, not kept."""


MOST_BYTES = 100_000_000
"""From this size on a file is put aside as ``NAME.1``, in place of the one before: two of them fill no disk."""


class AccessLog:
    """Lines go to ``target``: a path, ``-`` for the standard output, an empty text for nowhere.

    To be used inside one running event loop; ``close`` writes what is left.
    """

    def __init__(self, target: str, *, most_bytes: int = MOST_BYTES) -> None:
        self._is_on = bool(target)
        self._path = Path(target) if target not in ("", "-") else None
        self._most_bytes = most_bytes
        self._lines: list[str] = []
        self._lost = 0
        self._flush_later: asyncio.TimerHandle | None = None
        self._chunks: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
        if self._is_on:
            self._file = self._opened()
            self._writer = threading.Thread(target=self._write, name="access-log", daemon=True)
            self._writer.start()

    def line(self, facts: Mapping[str, Any]) -> None:
        """Write a line; what is None is left out. ``time`` is put before it, in UTC."""
        if not self._is_on:
            return
        if self._chunks.qsize() >= _MOST_CHUNKS:
            self._lost += 1
            return
        told = {"time": _now(), **{name: value for name, value in facts.items() if value is not None}}
        self._lines.append(without_keys(json.dumps(told, ensure_ascii=True, separators=(",", ":"))))
        if self._flush_later is None:
            self._flush_later = asyncio.get_running_loop().call_later(_FLUSH_EVERY_S, self._flush)

    def close(self) -> None:
        """Write what is left, and end."""
        if self._is_on:
            self._flush()
            self._chunks.put(None)
            self._writer.join(timeout=5.0)
            self._is_on = False

    def _flush(self) -> None:
        if self._flush_later is not None:
            self._flush_later.cancel()
            self._flush_later = None
        if self._lost:
            self._lines.append(json.dumps({"time": _now(), "lines_lost": self._lost}))
            self._lost = 0
        lines, self._lines = self._lines, []
        self._chunks.put(lines)

    def _write(self) -> None:
        """Write chunk by chunk: in a thread, for a pipe that nobody reads would stop the event loop."""
        while (lines := self._chunks.get()) is not None:
            try:
                self._file.write("".join(f"{line}\n" for line in lines))
                self._file.flush()
                self._put_aside()
            except (OSError, ValueError) as error:  # a full disk, a closed pipe: requests go on
                os.write(2, f"fishgate: the access log cannot be written: {error}\n".encode())
        if self._path is not None:
            self._file.close()

    def _opened(self) -> TextIO:
        return sys.stdout if self._path is None else self._path.open("a", encoding="utf-8")

    def _put_aside(self) -> None:
        """Begin a new file if this one is large enough; who follows it sees that it is another."""
        if self._path is not None and self._path.is_file() and self._path.stat().st_size >= self._most_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._file = self._opened()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
