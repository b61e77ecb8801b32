"""Finishing what was begun before the process ends.

Owns whether the gateway still takes on requests, and how many it has in hand. It knows no signals and no protocol:
both doors ask it, and whoever ends the process waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import ShuttingDown


class Draining:
    """One gateway's way out. To be used inside one running event loop."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.is_announced = False
        """Whether whoever asks is to be told that this gateway ends; it still takes on what comes."""
        self.has_begun = False
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def announce(self) -> None:
        """Let everybody know, so that they go elsewhere, and go on meanwhile."""
        self.is_announced = True

    def begin(self) -> None:
        """Take on nothing new from now on."""
        self.is_announced = self.has_begun = True

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request as in flight while the block runs; raise ShuttingDown instead if draining has begun."""
        if self.has_begun:
            raise ShuttingDown("the gateway is shutting down; ask again in a moment")
        self.in_flight += 1
        self._is_empty.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._is_empty.set()

    async def finished(self, limit_s: float) -> bool:
        """Wait until nothing is in flight, at most ``limit_s`` seconds; return whether that came about."""
        try:
            await asyncio.wait_for(self._is_empty.wait(), limit_s)
        except asyncio.TimeoutError:
            return False
        return True
