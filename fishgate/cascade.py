"""The cascade: the expert answers if the gate lets it, otherwise zero-shot, and where it is unsure both.

Owns the decision and the answer that comes of it (why so: docs/decisions/rollup.md). How zero-shot
is reached is given as an argument, so that router, gateway and tests run this very code over their
own connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from fishgate.answer import Answer, Candidate, ExpertView, ModelVersions, Opinion, Source
from fishgate.errors import FishgateError
from fishgate.gate import Verdict, judge
from fishgate.options import Options
from fishgate.rollup import roll_up

AskZeroShot = Callable[[], Awaitable[Opinion]]


async def settle(
    expert: Opinion,
    options: Options,
    *,
    ask_zero_shot: AskZeroShot,
    limit_s: float,
    members: Collection[str] | None = None,
) -> Answer:
    """Return the answer for a picture of which the expert has said its opinion.

    Zero-shot is asked only if the gate defers. If it raises a FishgateError or takes longer than
    ``limit_s`` seconds, the expert's opinion stands in and the answer is ``degraded``. ``members`` are
    those of the species list that the options pick, as ``fishgate.gate.judge`` wants them.
    """
    verdict = judge(expert, options, members=members)
    if not verdict.deferred:
        return conclude(expert, verdict, options, zero_shot=None)
    try:
        zero_shot = await asyncio.wait_for(ask_zero_shot(), limit_s)
    except (FishgateError, asyncio.TimeoutError):
        zero_shot = None
    return conclude(expert, verdict, options, zero_shot=zero_shot)


def conclude(expert: Opinion, verdict: Verdict, options: Options, *, zero_shot: Opinion | None) -> Answer:
    """Make the answer of the opinions that could be had."""
    finding = _finding(expert, verdict, options, zero_shot)
    named = finding.named
    return Answer(
        label=named.label if named else None,
        scientific_name=named.scientific_name if named else None,
        rank=named.rank if named else None,
        confidence=(named or finding.teller.best).confidence,
        source=finding.teller.source,
        deferred=verdict.deferred,
        low_confidence=not finding.is_trusted,
        degraded=verdict.deferred and zero_shot is None,
        candidates=finding.teller.candidates,
        expert=_view(expert, verdict),
        models=ModelVersions(expert=expert.model, zero_shot=zero_shot.model if zero_shot else None),
    )


@dataclass(frozen=True)
class _Finding:
    """What is named, or None; the opinion that is shown as its source; and whether it may be trusted."""

    named: Candidate | None
    teller: Opinion
    is_trusted: bool


def _finding(expert: Opinion, verdict: Verdict, options: Options, zero_shot: Opinion | None) -> _Finding:
    if zero_shot is None:
        return _Finding(expert.best, expert, is_trusted=not verdict.deferred)
    if zero_shot.certainty >= zero_shot.threshold:
        return _Finding(zero_shot.best, zero_shot, is_trusted=True)
    return _rolled_up(expert, zero_shot, options)


def _rolled_up(expert: Opinion, zero_shot: Opinion, options: Options) -> _Finding:
    # Of names that the client chose the expert knows nothing, and may not bring in its own.
    are_chosen = options.labels is not None or options.species_list is not None
    if are_chosen:
        rolled_up = roll_up((zero_shot,), floor=zero_shot.threshold)
    else:
        # The expert has a say as far as it is certain that the fish is one of its own.
        weights = (1.0 - expert.certainty, expert.certainty)
        rolled_up = roll_up((zero_shot, expert), floor=zero_shot.threshold, weights=weights)
    if rolled_up is None:
        return _Finding(None, zero_shot, is_trusted=False)
    teller = expert if rolled_up.source is Source.EXPERT else zero_shot
    return _Finding(rolled_up.taxon, teller, is_trusted=True)


def _view(expert: Opinion, verdict: Verdict) -> ExpertView:
    # The promise was proved for the card's own threshold, not for one that a client chose.
    is_own = verdict.threshold == expert.threshold
    return ExpertView(
        label=expert.best.label,
        confidence=expert.best.confidence,
        certainty=expert.certainty,
        threshold=verdict.threshold,
        certificate=expert.promise if is_own else None,
    )
