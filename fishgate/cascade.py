"""The cascade: the expert answers if the gate lets it, otherwise zero-shot is asked.

Owns the decision and the answer that comes of it. How zero-shot is reached is given as an
argument, so that router, gateway and tests run this very code over their own connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fishgate.answer import Answer, ExpertView, ModelVersions, Opinion
from fishgate.errors import FishgateError
from fishgate.gate import Verdict, judge
from fishgate.options import Options

AskZeroShot = Callable[[], Awaitable[Opinion]]


async def settle(expert: Opinion, options: Options, *, ask_zero_shot: AskZeroShot, limit_s: float) -> Answer:
    """Return the answer for a picture of which the expert has said its opinion.

    Zero-shot is asked only if the gate defers. If it raises a FishgateError or takes longer than
    ``limit_s`` seconds, the expert's opinion stands in and the answer is ``degraded``.
    """
    verdict = judge(expert, options)
    if not verdict.deferred:
        return conclude(expert, verdict, None)
    try:
        zero_shot = await asyncio.wait_for(ask_zero_shot(), limit_s)
    except (FishgateError, asyncio.TimeoutError):
        zero_shot = None
    return conclude(expert, verdict, zero_shot)


def conclude(expert: Opinion, verdict: Verdict, zero_shot: Opinion | None) -> Answer:
    """Make the answer of the opinions that could be had."""
    winner = zero_shot or expert
    degraded = verdict.deferred and zero_shot is None
    best = winner.best
    return Answer(
        label=best.label,
        scientific_name=best.scientific_name,
        rank=best.rank,
        confidence=best.confidence,
        source=winner.source,
        deferred=verdict.deferred,
        low_confidence=degraded or _is_unsure(zero_shot),
        degraded=degraded,
        candidates=winner.candidates,
        expert=_view(expert, verdict),
        models=ModelVersions(expert=expert.model, zero_shot=zero_shot.model if zero_shot else None),
    )


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


def _is_unsure(zero_shot: Opinion | None) -> bool:
    return zero_shot is not None and zero_shot.best.confidence < zero_shot.threshold
