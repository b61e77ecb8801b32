"""How one model stands at one host: whether it is asked, and how gladly.

Owns when a model rests there and for how long. Pure code; times are of ``time.monotonic()``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.pause import Pause, PauseRule


@dataclass(frozen=True)
class StandingRule:
    """After ``failures`` in a row a model rests as ``rest`` says, and then one packet tries it. One that is away,
    because it loads or its queue is full, rests as ``away`` says, from its first time on. For ``fresh_s`` seconds
    each failure makes it less likely to be asked."""

    failures: int = 5
    fresh_s: float = 1.0
    rest: PauseRule = field(default_factory=lambda: PauseRule(first_s=1.0, longest_s=10.0))
    away: PauseRule = field(default_factory=PauseRule)


class Standing:
    """What is known of one model at one host."""

    def __init__(self, rule: StandingRule) -> None:
        self._rule = rule
        self._away = Pause(rule.away)
        self._rest = Pause(rule.rest)
        self._failures = 0
        self._failed_s = 0.0

    def is_away(self, now_s: float) -> bool:
        """Tell whether it would take nothing."""
        return self._away.left_s(now_s) > 0

    def is_resting(self, now_s: float) -> bool:
        """Tell whether it is left in peace; better asked than nobody all the same."""
        return self._rest.left_s(now_s) > 0

    @property
    def is_on_trial(self) -> bool:
        """Whether it failed so often that one packet at a time is enough to learn more."""
        return self._failures >= self._rule.failures

    def penalty(self, now_s: float) -> int:
        """Return how many of its last replies in a row were failures, 0 once that is long ago."""
        return self._failures if now_s < self._failed_s + self._rule.fresh_s else 0

    def succeeded(self) -> None:
        """It answered."""
        self._failures = 0
        self._away.end()
        self._rest.end()

    def failed(self, now_s: float) -> None:
        """A worker ended, or something else went wrong behind the host's door."""
        self._failures, self._failed_s = self._failures + 1, now_s
        if self.is_on_trial:
            self._rest.begin(now_s)

    def went_away(self, now_s: float) -> None:
        """It is not there, or takes nothing more."""
        self._away.begin(now_s)
