"""Pictures that wait for zero-shot, on this machine's disk.

A picture is laid down by the expert's worker and taken up by the router's, under a ticket that
nobody can guess. It never travels back through the server, so that no reply can carry it.
"""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path

from fishgate.errors import InternalError

FORGOTTEN_AFTER_S = 600.0
"""Age at which a picture that nobody took up is removed; far beyond any time limit of a request."""

_SWEEP_EVERY_S = 60.0
_TICKET = re.compile(r"[0-9a-f]{32}")


class Spool:
    """A folder of waiting pictures; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next_sweep_s = 0.0

    def put(self, picture: bytes) -> str:
        """Lay a picture down and return its ticket; raises OSError if the disk does not take it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        ticket = secrets.token_hex(16)
        (self._folder / ticket).write_bytes(picture)
        return ticket

    def get(self, ticket: str) -> bytes:
        """Return the picture; raise InternalError if it is not there (any more)."""
        try:
            return self._path(ticket).read_bytes()
        except OSError:
            raise InternalError("the picture that waited for zero-shot is gone") from None

    def remove(self, ticket: str) -> None:
        """Remove the picture, if it is there."""
        self._path(ticket).unlink(missing_ok=True)

    def _path(self, ticket: str) -> Path:
        if not _TICKET.fullmatch(ticket):
            raise InternalError("this is no ticket of a waiting picture")
        return self._folder / ticket

    def _sweep(self) -> None:
        """Now and then remove what was forgotten: its router died, or nobody came for it."""
        if time.monotonic() < self._next_sweep_s:
            return
        self._next_sweep_s = time.monotonic() + _SWEEP_EVERY_S
        oldest_s = time.time() - FORGOTTEN_AFTER_S
        for path in self._folder.iterdir():
            try:
                if path.stat().st_mtime < oldest_s:
                    path.unlink()
            except FileNotFoundError:
                pass  # another process was faster
