"""One of several TorchServe hosts: what it was asked, and what is known of it.

Owns the account of one host: what is under way there, what came of it, how its models stand, and whether
it can be reached. Who is asked is the business of ``gateway.hosts``, when somebody looks after a host that of
``gateway.host_watch``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from enum import Enum
from urllib.parse import urlsplit

from fishgate.errors import FishgateError
from gateway.backend import Backend, ConnectionBroken, Unavailable, Unreachable, WorkerLost
from gateway.host_standing import Standing, StandingRule

_log = logging.getLogger(__name__)


class State(str, Enum):
    """Whether a host is asked."""

    IN = "in"
    RESTING = "resting"  # it can be reached, but one of its models is away or failed too often
    OUT = "out"  # it cannot be reached
    LEAVING = "leaving"  # it is in no setting and behind no name any more, and finishes what it has


class HostLost(Unavailable):
    """The host fell silent while it had the packet, and was given up."""


class Host:
    """One TorchServe and its account. To be used inside one running event loop."""

    def __init__(self, url: str, models: frozenset[str], backend: Backend, rule: StandingRule) -> None:
        self.url = url
        self.name = urlsplit(url).netloc
        self.models = models
        self.standings: defaultdict[str, Standing] = defaultdict(lambda: Standing(rule))
        self.outstanding: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.is_reachable = True
        self.is_leaving = False
        self.misses = 0
        """How often in a row it did not answer when it was asked whether it is there."""
        self.is_doubtful = False
        """Whether a connection broke, and nobody has asked yet whether it is there."""
        self.silent_since_s = 0.0
        """From when on something was under way without a reply."""
        self._backend = backend
        self._under_way: set[asyncio.Task[bytes]] = set()

    @property
    def busy(self) -> int:
        """How many requests are under way, of all models."""
        return self.outstanding.total()

    @property
    def state(self) -> State:
        """Whether it is asked."""
        if self.is_leaving:
            return State.LEAVING
        if not self.is_reachable:
            return State.OUT
        now_s = time.monotonic()
        rests = any(one.is_away(now_s) or one.is_resting(now_s) for one in self.standings.values())
        return State.RESTING if rests else State.IN

    async def ask(self, model: str, body: bytes) -> bytes:
        """Return the model's reply; raises what ``Backend.post`` raises, or HostLost once the host was given up."""
        return await self._accounted(model, body, can_be_given_up=True)

    async def ask_straight(self, model: str, body: bytes) -> bytes:
        """Do so where there is no other host: no packet is given up, for nobody else could take it."""
        reply = await self._accounted(model, body, can_be_given_up=False)
        if not self.is_reachable:  # nobody looks after an only host
            self.came_back()
        return reply

    async def is_there(self, limit_s: float) -> bool:
        """Ask whether it is there."""
        return await self._backend.is_there(limit_s)

    def went_out(self) -> None:
        """Take note that it cannot be reached."""
        if self.is_reachable:
            _log.warning("%s cannot be reached: nothing is sent there until it can", self.name)
        self.is_reachable = False

    def came_back(self) -> None:
        """Take note that it is there."""
        if not self.is_reachable:
            _log.warning("%s can be reached: it takes part", self.name)
        self.is_reachable, self.is_doubtful, self.misses = True, False, 0
        self.silent_since_s = time.monotonic()

    async def give_up(self) -> None:
        """Let nobody wait for its replies any more, and forget its connections."""
        for task in self._under_way:
            task.cancel()
        await self._backend.close()

    async def _accounted(self, model: str, body: bytes, *, can_be_given_up: bool) -> bytes:
        if not self.busy:
            self.silent_since_s = time.monotonic()
        self.outstanding[model] += 1
        outcome = "cancelled"
        try:
            reply = await (self._awaited(model, body) if can_be_given_up else self._backend.post(model, body))
            self._heard(model)
            outcome = "ok"
        except FishgateError as error:
            outcome = self._judged(model, error)
            raise
        finally:
            self.outstanding[model] -= 1
            self.outcomes[outcome] += 1
        return reply

    async def _awaited(self, model: str, body: bytes) -> bytes:
        """Wait for the reply in a task of its own, which may be cancelled without the one who waits being so."""
        task = asyncio.get_running_loop().create_task(self._backend.post(model, body))
        self._under_way.add(task)
        try:
            await asyncio.wait((task,))
        finally:
            task.cancel()
            self._under_way.discard(task)
        if task.cancelled():
            raise HostLost(f"{model} cannot be reached: its host fell silent")
        return task.result()

    def _heard(self, model: str) -> None:
        self.silent_since_s = time.monotonic()
        self.standings[model].succeeded()

    def _judged(self, model: str, error: FishgateError) -> str:
        """Take note of what an error says of the host; return the word for it."""
        now_s, standing = time.monotonic(), self.standings[model]
        if isinstance(error, HostLost):
            return "lost"
        if isinstance(error, Unreachable):
            self.went_out()
            return "unreachable"
        if isinstance(error, ConnectionBroken):
            self.is_doubtful = True
            return "broken"
        self.silent_since_s = now_s
        if isinstance(error, Unavailable):
            standing.went_away(now_s)
            return "unavailable"
        if isinstance(error, WorkerLost):
            standing.failed(now_s)
            return "failed"
        standing.succeeded()  # it answered: the packet is bad
        return "refused"
