"""A pause of everything while a model is away.

Owns its length: twice as long each time, until something comes back. Pure code; times are of
``time.monotonic()``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PauseRule:
    """How long the first pause is and how long they become, in seconds."""

    first_s: float = 0.05
    longest_s: float = 1.0


class Pause:
    """The pauses of one model."""

    def __init__(self, rule: PauseRule) -> None:
        self._rule = rule
        self._length_s = 0.0
        self._until_s = 0.0

    def left_s(self, now_s: float) -> float:
        """Return how long it still lasts; 0 or less where there is none."""
        return self._until_s - now_s

    def begin(self, now_s: float) -> None:
        """Begin one, unless one is going on: packets that were in flight together fail together."""
        if self.left_s(now_s) <= 0:
            self._length_s = min(max(2 * self._length_s, self._rule.first_s), self._rule.longest_s)
            self._until_s = now_s + self._length_s

    def end(self) -> None:
        """The model is back: the next pause is a short one again."""
        self._length_s = self._until_s = 0.0
