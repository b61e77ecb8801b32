"""How far a canary is trusted: how long it is waited for, and when it is set aside.

Owns that a canary takes no more from anybody than a moment. It is waited for as long as the main version would be, a
few times over; after several failures in a row, or after one reply that nobody here can read, it gets nothing more
until the traffic file is written anew. Whoever waits for the change is told (``gateway.traffic.Seen``).
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass

_log = logging.getLogger(__name__)

_SMOOTHING = 0.1
"""The weight of the latest packet in the mean."""


@dataclass(frozen=True)
class TrialRule:
    """A canary is waited for ``times`` as long as the main version takes, but at least ``least_s`` seconds.

    So long as the main version has answered nothing, ``first_s`` is the limit. After ``failures`` in a row, or one
    reply that cannot be read, it is set aside.
    """

    failures: int = 3
    times: float = 4.0
    least_s: float = 2.0
    first_s: float = 20.0


class Trials:
    """Keeps account of all canaries; they are told apart by the path of their target."""

    def __init__(self, rule: TrialRule | None = None) -> None:
        self._rule = rule or TrialRule()
        self._failures: Counter[str] = Counter()
        self._main_s: dict[str, float] = {}
        self.set_aside: set[str] = set()
        """The paths that get nothing more."""

    def forget(self) -> None:
        """Begin anew: the routes are others."""
        self._failures.clear()
        self.set_aside.clear()

    def limit_s(self, model: str) -> float:
        """Return how many seconds the canary of a model is waited for."""
        main_s = self._main_s.get(model)
        return self._rule.first_s if main_s is None else max(self._rule.least_s, self._rule.times * main_s)

    def main_took(self, model: str, seconds: float) -> None:
        """The main version of a model has answered a packet."""
        before = self._main_s.get(model, seconds)
        self._main_s[model] = before + _SMOOTHING * (seconds - before)

    def went_well(self, path: str) -> None:
        """A canary has answered, and the reply can be read."""
        self._failures.pop(path, None)

    def failed(self, path: str, why: str) -> None:
        """A canary has lost a packet, or was too late with it."""
        self._failures[path] += 1
        if self._failures[path] >= self._rule.failures:
            self._put_aside(path, f"{self._failures[path]} packets in a row failed, the last because {why}")

    def unreadable(self, path: str, why: str) -> None:
        """A canary and the gateway do not understand each other: no further attempt would mend that."""
        self._put_aside(path, why)

    def _put_aside(self, path: str, why: str) -> None:
        if path not in self.set_aside:
            _log.warning("%s gets no packets any more: %s", path, why)
        self.set_aside.add(path)
