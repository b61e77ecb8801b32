"""What becomes of pictures whose packet was lost, because the worker ended or the connection broke.

Owns the rule that no picture harms another for long, and that none is given up for the fault of another:
lost once, a picture goes in a packet of its own; lost twice, with nothing else in flight; lost so
several times, it is the cause. Pure code on what waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fishgate.errors import FishgateError, InternalError
from gateway.backend import WorkerLost
from gateway.waiting import Asked


@dataclass(frozen=True)
class SuspicionRule:
    """``deaths``: how many workers may end over a picture alone. ``pause_s``: how long it then waits, four
    times as long after each, so that the others are served in between."""

    deaths: int = 3
    pause_s: float = 0.1


def suspect(
    pictures: Sequence[Asked], error: FishgateError, rule: SuspicionRule, *, was_quiet: bool, now_s: float
) -> list[Asked]:
    """Return the pictures that are to be asked about again, marked as suspects; the others get their error.

    ``was_quiet`` says that nothing else was in flight with them.
    """
    if len(pictures) == 1 and not isinstance(error, WorkerLost):
        pictures[0].fail(error)  # it was the answer to this very picture
    for asked in pictures:
        asked.deaths += was_quiet and asked.needs_quiet
        asked.losses += 1
        asked.due_s = now_s + (rule.pause_s * 4**asked.deaths if asked.deaths else 0.0)
        if asked.deaths >= rule.deaths:
            asked.fail(InternalError(f"{asked.deaths} times a worker ended while it looked at this picture alone"))
    return still_waiting(pictures, error)


def still_waiting(pictures: Sequence[Asked], error: FishgateError) -> list[Asked]:
    """Return the pictures whose result somebody waits for, with the error as the reason to wait again."""
    living = [asked for asked in pictures if not asked.is_over]
    for asked in living:
        asked.trouble = error
    return living
