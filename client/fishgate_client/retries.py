"""When to ask again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass

from fishgate_client.errors import FishgateError, TransientError


@dataclass(frozen=True)
class Retries:
    """Back-off: waits double from ``first_wait_s`` to ``longest_wait_s``, each at random between half and whole.

    Half at random, so that many clients that were refused together do not come back together. A server's own
    ``Retry-After`` is kept to, unless it is longer than ``longest_told_s``: then the error is raised, and says when.
    """

    attempts: int = 6
    first_wait_s: float = 0.25
    longest_wait_s: float = 8.0
    longest_told_s: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {self.attempts}")

    def wait_s(self, error: FishgateError, attempt: int) -> float | None:
        """Return how long to wait after the ``attempt``-th try (from 1) failed; None means to give up."""
        if attempt >= self.attempts or not isinstance(error, TransientError):
            return None
        told_s = error.retry_after_s
        if told_s is not None and told_s > self.longest_told_s:
            return None
        own_s = min(self.longest_wait_s, self.first_wait_s * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
        # Not a moment earlier than told, and not all at that moment.
        return own_s if told_s is None else told_s + min(own_s, 1.0)


NO_RETRIES = Retries(attempts=1)
