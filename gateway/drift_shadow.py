"""A second opinion on a few of the pictures that the expert was sure of.

Owns which pictures are asked about, when, and what counts as agreement. The client has its answer by then. What it
costs is bounded: one picture at a time, alone, in a moment in which neither model has anything else to do if one comes
soon, and then a rest. A deferred picture that comes just then waits for one pass at most; a refusal or a loss is told
and never asked again. So the sample is one of time rather than of pictures: busy hours weigh less in it.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from fishgate.answer import Candidate, Opinion
from fishgate.errors import FishgateError
from fishgate.packet import PackedPicture, read_replies, write_packet
from fishgate.taxonomy import Rank
from gateway.sender import Sender

_log = logging.getLogger(__name__)


class Verdict(str, Enum):
    """What zero-shot says to the expert's name."""

    AGREE = "agree"
    DISAGREE = "disagree"
    FAILED = "failed"  # it said nothing


@dataclass(frozen=True)
class ShadowRule:
    """How much may be asked.

    ``share`` is that of the accepted pictures, 0 to 1. ``after_s`` lets the answer out first. After a question that
    took zero-shot so many seconds there is none for ``rest`` times as long: 19 leave it a twentieth of its time.
    A picture that was drawn waits up to ``patience_s`` for a moment in which nobody else wants an answer, and looks
    for one every ``after_s``. Where none comes it is asked about all the same: models that are never idle are not
    models that need no watching, and ``rest`` bounds what that costs the others.
    """

    share: float = 0.0
    after_s: float = 0.05
    patience_s: float = 60.0
    rest: float = 19.0
    limit_s: float = 20.0


class Shadow:
    """Asks zero-shot about a sample. To be used inside one running event loop.

    ``is_free`` tells whether no client's picture is before zero-shot or waits for the expert, ``is_well`` whether
    zero-shot is asked at all at the moment; ``tell`` is told each verdict, or None of a picture that was drawn while
    there was no time for it; ``draw`` gives a number from 0 to below 1 for each picture.
    """

    def __init__(
        self,
        sender: Sender,
        rule: ShadowRule,
        *,
        is_free: Callable[[], bool],
        is_well: Callable[[], bool] = lambda: True,
        tell: Callable[[Verdict | None], None],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._sender = sender
        self._rule = rule
        self._is_free = is_free
        self._is_well = is_well
        self._tell = tell
        self._draw = draw
        self._asking: asyncio.Task[None] | None = None
        self._rests_until_s = 0.0

    def offer(self, picture: bytes, expert: Opinion) -> None:
        """Take a picture that the expert was sure of, if it is drawn and there is time for it. Costs no waiting."""
        if self._draw() >= self._rule.share:
            return
        if self._asking is not None or time.monotonic() < self._rests_until_s:
            self._tell(None)
            return
        # In a context of its own: what is observed here does not belong to the request that is being answered.
        empty = contextvars.Context()
        self._asking = empty.run(asyncio.get_running_loop().create_task, self._ask(picture, expert))
        self._asking.add_done_callback(self._done)

    async def close(self) -> None:
        """Give up what is being asked."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _done(self, _task: asyncio.Task[None]) -> None:
        self._asking = None

    async def _ask(self, picture: bytes, expert: Opinion) -> None:
        if not await self._has_time():
            self._tell(None)
            return
        started_s = time.monotonic()
        try:
            verdict = await self._verdict(picture, expert)
        except Exception:
            _log.exception("zero-shot could not be asked for a second opinion")
            verdict = Verdict.FAILED
        now_s = time.monotonic()
        self._rests_until_s = now_s + self._rule.rest * (now_s - started_s)
        self._tell(verdict)

    async def _has_time(self) -> bool:
        """Wait for a free moment, as long as patience lasts; return whether zero-shot may be asked then."""
        until_s = time.monotonic() + self._rule.patience_s
        await asyncio.sleep(self._rule.after_s)
        while not (self._is_well() and self._is_free()) and time.monotonic() < until_s:
            await asyncio.sleep(self._rule.after_s)
        return self._is_well()

    async def _verdict(self, picture: bytes, expert: Opinion) -> Verdict:
        limit_s = self._rule.limit_s
        packed = PackedPicture(picture, {}, deadline_unix_s=time.time() + limit_s, request_id="shadow")
        try:
            reply = await asyncio.wait_for(self._sender.post("zero_shot", write_packet([packed])), limit_s)
            (result,) = read_replies(reply, pictures=1)
        except (FishgateError, asyncio.TimeoutError):
            return Verdict.FAILED
        if isinstance(result, FishgateError):
            return Verdict.FAILED
        return Verdict.AGREE if agree(expert, result) else Verdict.DISAGREE


def agree(expert: Opinion, zero_shot: Opinion) -> bool:
    """Tell whether zero-shot finds the expert's name the most probable one of that name's rank.

    The expert may name a genus where zero-shot names species: then their sums are compared.
    """
    name = expert.best
    rivals = [mass for mass in zero_shot.masses if _rank(mass) is _rank(name)] or [zero_shot.best]
    first = max(rivals, key=lambda rival: rival.confidence)
    return _named(name) == _named(first)


def _rank(taxon: Candidate) -> Rank:
    # A label whose taxon is not known is as narrow as a species, as in the roll-up.
    return taxon.rank or Rank.SPECIES


def _named(taxon: Candidate) -> str:
    return (taxon.scientific_name or taxon.label).casefold()
