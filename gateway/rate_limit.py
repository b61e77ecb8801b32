"""How often each API key may ask.

Owns the buckets of tokens. It does not know where keys come from.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.errors import RateLimited
from gateway.keys import Key


class Bucket:
    """Tokens that fill up at ``rate_per_s`` to at most ``burst``; a request takes one.

    ``clock`` gives seconds that never run back.
    """

    def __init__(self, rate_per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate_per_s = rate_per_s
        self.burst = max(1.0, 2.0 * rate_per_s)
        self._clock = clock
        self._tokens = self.burst
        self._filled_s = clock()

    def take(self) -> float:
        """Take a token and return 0; if there is none, take nothing and return in how many seconds there is one."""
        now_s = self._clock()
        self._tokens = min(self.burst, self._tokens + (now_s - self._filled_s) * self.rate_per_s)
        self._filled_s = now_s
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self.rate_per_s
        self._tokens -= 1.0
        return 0.0


class RateLimits:
    """The buckets of all keys that have a rate, by name; a key whose rate was changed gets a new one."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def take(self, key: Key | None) -> None:
        """Count a request; raise RateLimited if the key may not ask again yet. Nobody limits who needs no key."""
        if key is None or key.rate_per_s is None:
            return
        bucket = self._buckets.get(key.name)
        if bucket is None or bucket.rate_per_s != key.rate_per_s:
            bucket = self._buckets[key.name] = Bucket(key.rate_per_s, clock=self._clock)
        wait_s = bucket.take()
        if wait_s:
            allowed = f"{key.rate_per_s:g} a second, {bucket.burst:g} at once"
            raise RateLimited(f"this key asks too often; allowed are {allowed}", retry_after_s=wait_s)
