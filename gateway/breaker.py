"""A circuit breaker: a service that fails again and again is left in peace for a while.

Pure code on a clock that is given. It does not know what is asked, nor what counts as a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """Whether requests go through."""

    CLOSED = "closed"  # all of them
    OPEN = "open"  # none
    HALF_OPEN = "half_open"  # one, to see whether the service is well again


@dataclass(frozen=True)
class BreakerRule:
    """After so many failures in a row nothing is asked for so many seconds, then one probe."""

    failures: int = 5
    rest_s: float = 10.0


class Breaker:
    """Whoever is admitted must report one of ``succeeded``, ``failed`` or ``gave_up``."""

    def __init__(
        self,
        rule: BreakerRule = BreakerRule(),
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[State], None] = lambda state: None,
    ) -> None:
        self._rule = rule
        self._clock = clock
        self._on_change = on_change
        self._failures_in_a_row = 0
        self._opened_s = 0.0
        self.state = State.CLOSED

    def admits(self) -> bool:
        """Tell whether a request may go through; after the rest the first that asks is the probe."""
        if self.state is State.OPEN and self._clock() >= self._opened_s + self._rule.rest_s:
            self._become(State.HALF_OPEN)
            return True
        return self.state is State.CLOSED

    def succeeded(self) -> None:
        """The service answered."""
        self._failures_in_a_row = 0
        self._become(State.CLOSED)

    def failed(self) -> None:
        """The service did not answer, or not in time."""
        if self.state is State.OPEN:  # it was admitted before; the rest is not prolonged
            return
        self._failures_in_a_row += 1
        if self.state is State.HALF_OPEN or self._failures_in_a_row >= self._rule.failures:
            self._opened_s = self._clock()
            self._become(State.OPEN)

    def gave_up(self) -> None:
        """Nobody waits for the answer any more: nothing is known of the service."""
        if self.state is State.HALF_OPEN:  # the next one that asks is the probe
            self._become(State.OPEN)

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._on_change(state)
