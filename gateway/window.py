"""How much of one model's work may be in flight.

Owns two numbers: how many packets, and of how many pictures. A model that answers quickly gets more and larger
packets, so that it never waits for the next one; a slow one gets little at a time, so that what waits,
waits where deadlines and cancellation are honoured. Pure code; it sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from fishgate.packet import MAX_PICTURES


@dataclass(frozen=True)
class WindowRule:
    """From ``least`` to ``most`` packets, as many as come back within ``target_s`` seconds.

    Two at least: one is in work while the other waits to be next. Eight are what the expert's worker takes at
    once, and a tenth of a second hides the way there and back many times over.
    """

    least: int = 2
    most: int = 8
    target_s: float = 0.1


class Window:
    """The packets of one model; ``pass_pictures`` is how many pictures its workers take in one pass."""

    def __init__(self, rule: WindowRule, *, pass_pictures: int) -> None:
        self._rule = rule
        self.pass_pictures = pass_pictures
        self.packets = rule.least

    @property
    def packet_pictures(self) -> int:
        """How many pictures a packet holds at most.

        Two passes of a quick model halve what packets cost. With a slow one the first pictures would have to
        wait for the second pass.
        """
        is_quick = self.packets > self._rule.least
        return min(self.pass_pictures * (2 if is_quick else 1), MAX_PICTURES)

    def came_back(self, took_s: float, *, was_full: bool) -> None:
        """A packet was answered after so many seconds; ``was_full`` says that no more could have been in flight."""
        if took_s > self._rule.target_s:
            self.packets = max(self.packets - 1, self._rule.least)
        elif was_full:
            self.packets = min(self.packets + 1, self._rule.most)
