"""How many pictures may be under way at once: as many as the server answers quickly, and no more.

Begins low and doubles with each round that goes well; halves when the server says that it has too much to do, or when
answers take long; then grows slowly. So a fast server is kept busy, and a slow one is not handed more than it answers
before its deadline.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MOST_AT_ONCE = 128
FEW_CONNECTIONS = 8
_FIRST = 8.0
_GROWTH = 4.0
"""Pictures more after each round, once the server has shown its limit."""
_QUICK_S, _SLOW_S = 2.0, 10.0
"""Replies faster than the one let the number grow, slower than the other halve it: a third of the server's deadline."""


class Pace:
    """Counts nothing itself: it is told how requests went. May be used from several threads."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        if most < 1:
            raise ValueError(f"at least 1 picture must be under way, got {most}")
        self._most = float(most)
        self._limit = min(_FIRST, self._most)
        self._is_searching = True
        self._halved_s = float("-inf")
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def limit(self) -> int:
        """How many pictures may be under way now, at least 1."""
        return int(self._limit)

    @property
    def group(self) -> int:
        """How many pictures to send in one request, if requests can hold several."""
        return max(1, self.limit // FEW_CONNECTIONS)

    def went_well(self, pictures: int, *, began_s: float) -> None:
        """Take note that a request which began at ``began_s`` (of the clock) was answered."""
        took_s = self._clock() - began_s
        if took_s > _SLOW_S:
            self.was_refused(began_s=began_s)
        elif took_s < _QUICK_S:
            with self._lock:
                step = pictures if self._is_searching else _GROWTH * pictures / self._limit
                self._limit = min(self._most, self._limit + step)

    def was_refused(self, *, began_s: float) -> None:
        """Take note that the server had too much to do for a request which began at ``began_s``."""
        with self._lock:
            if began_s < self._halved_s:
                return  # it was sent before the last halving, and so says nothing of the number since
            self._is_searching = False
            self._limit = max(1.0, self._limit / 2)
            self._halved_s = self._clock()
