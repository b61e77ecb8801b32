"""The open connections: how many there may be, and which has to go when there are too many.

A connection without a request can be closed at any time (RFC 9112, 9.5); one with a request is never closed for
another's sake. So whoever opens thousands and leaves them only closes his own.
"""

from __future__ import annotations

import resource
from typing import Protocol

_OTHER_FILES = 512  # logs, libraries, the connections to the workers


class Connection(Protocol):
    """What can be closed."""

    def close_idle(self) -> None:
        """Close at once, without a word."""


class Connections:
    """Which connections are open, and which of them have no request, the one idle for longest first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.open = 0
        self._idle: dict[Connection, None] = {}

    def opened(self, connection: Connection) -> bool:
        """Take a new connection in, closing the one idle for longest if there are too many.

        Returns False if all are busy: then the new one cannot stay. It counts as open until it is ``lost``.
        """
        self.open += 1
        if self.open > self.limit and not self._close_oldest():
            return False
        self._idle[connection] = None
        return True

    def busy(self, connection: Connection) -> None:
        """Take note that a request has come."""
        self._idle.pop(connection, None)

    def idle(self, connection: Connection) -> None:
        """Take note that the request was answered and none other is there."""
        self._idle[connection] = None

    def lost(self, connection: Connection) -> None:
        """Take note that the connection is closed."""
        self.open -= 1
        self._idle.pop(connection, None)

    def _close_oldest(self) -> bool:
        oldest = next(iter(self._idle), None)
        if oldest is None:
            return False
        del self._idle[oldest]
        oldest.close_idle()
        return True


def allow_many_files() -> int:
    """Raise this process's limit of open files as far as it may itself; return how many connections that allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return 1_000_000 if hard == resource.RLIM_INFINITY else max(hard - _OTHER_FILES, 1)
