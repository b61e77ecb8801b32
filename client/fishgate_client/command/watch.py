"""When to stop a run early: what would fail for every picture that is left."""

from __future__ import annotations

from fishgate_client.errors import FishgateError, InvalidOption, PictureError, Unauthorised, Unreachable

FAILURES_IN_A_ROW = 20
"""So many in a row that are no picture's own fault: the server is broken, and the rest is spared."""


class Stopped(Exception):
    """The run makes no sense any more; the message says why."""


class Watch:
    """Looks at one outcome after the other."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def look_at(self, error: FishgateError | None) -> None:
        """Take note of an answer (None) or an error; raise Stopped if the rest is spared."""
        if isinstance(error, InvalidOption | Unauthorised | Unreachable):
            raise Stopped(f"{error.code}: {error}")
        if error is None or isinstance(error, PictureError):
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row >= FAILURES_IN_A_ROW:
            raise Stopped(f"{self._in_a_row} pictures in a row failed, the last one with {error.code}: {error}")
