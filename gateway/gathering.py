"""Gathering pictures to packets: fewer, fuller requests to a model.

Owns when a packet is sent. The queue is here, and not in TorchServe, because here deadlines and cancellation
are honoured. Why packets: docs/decisions/packets.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fishgate import packet
from fishgate.answer import Opinion
from fishgate.errors import Overloaded, TimedOut
from gateway.backend import Unavailable
from gateway.delivery import deliver
from gateway.observing import Observer, SilentObserver
from gateway.pause import Pause, PauseRule
from gateway.sender import Sender
from gateway.suspicion import SuspicionRule, still_waiting, suspect
from gateway.waiting import Asked, WaitingPictures
from gateway.window import Window, WindowRule

_TICK_S = 0.0005
"""A wait shorter than this is none: timers of event loops may count whole milliseconds."""


@dataclass(frozen=True)
class GatherLimits:
    """How packets of one model are made.

    ``packet_bytes`` stays below TorchServe's max_request_size of 30 MB. ``pass_pictures`` holds until a
    worker has told the size of its passes. ``quiet_s`` is how long all others are held back for a suspect
    that must be in flight alone.
    """

    pass_pictures: int = 8
    packet_bytes: int = 20_000_000
    waiting: int = 512
    gather_s: float = 0.002
    quiet_s: float = 1.0
    window: WindowRule = field(default_factory=WindowRule)
    pause: PauseRule = field(default_factory=PauseRule)
    suspicion: SuspicionRule = field(default_factory=SuspicionRule)


DEFAULT_LIMITS = GatherLimits()


class WaitingRoomFull(Overloaded):
    """As many pictures wait for the model as may."""


class Gatherer:
    """All pictures under way to one model. To be used inside one running event loop."""

    def __init__(
        self, backend: Sender, model: str, limits: GatherLimits = DEFAULT_LIMITS, *, observer: Observer | None = None
    ) -> None:
        self.model = model
        self.limits = limits
        self._backend = backend
        self._observer = observer or SilentObserver()
        self._waiting = WaitingPictures()
        self._in_flight: dict[asyncio.Task[None], list[Asked]] = {}
        self.window = Window(limits.window, pass_pictures=limits.pass_pictures)
        self._pause = Pause(limits.pause)
        self._next_look: asyncio.Handle | None = None
        self._next_look_s = 0.0
        self._is_closed = False

    async def ask(self, packed: packet.PackedPicture, *, deadline_s: float) -> Opinion:
        """Return the model's opinion of a picture.

        ``deadline_s`` is a time of ``time.monotonic()``. Raises WaitingRoomFull at once; otherwise what the worker
        says against the picture, TimedOut, Overloaded where the model could not be had before the deadline,
        or InternalError where worker after worker ended over it. Whoever is cancelled leaves the queue.
        """
        self._check_room()
        now_s, loop = time.monotonic(), asyncio.get_running_loop()
        packed = replace(packed, deadline_unix_s=time.time() + deadline_s - now_s)
        asked = Asked(packed, deadline_s=deadline_s, came_s=now_s, reply=loop.create_future())
        alarm = loop.call_later(max(0.0, deadline_s - now_s), self._expire, asked)
        self._waiting.join(asked)
        self._look_in(0.0)  # not at once: pictures that come in the same turn of the loop share a packet
        try:
            return await asked.reply
        finally:
            alarm.cancel()
            self._waiting.leave(asked)
            self._tell_stages(asked)

    @property
    def waiting(self) -> int:
        """How many pictures wait to be sent."""
        return len(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not self._waiting and not self._in_flight

    async def close(self) -> None:
        """Give up whatever waits or is in flight."""
        self._is_closed = True
        for asked in [*self._waiting.all(), *(asked for sent in self._in_flight.values() for asked in sent)]:
            asked.fail(Overloaded("the server is shutting down"))
        tasks = list(self._in_flight)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _check_room(self) -> None:
        if self._is_closed:
            raise Overloaded("the server is shutting down")
        if len(self._waiting) >= self.limits.waiting:
            seen, allowed = len(self._waiting), self.limits.waiting
            raise WaitingRoomFull(f"{seen} pictures are waiting for {self.model}, allowed are {allowed}; try again")

    def _expire(self, asked: Asked) -> None:
        if asked.trouble is None:
            asked.fail(TimedOut(f"{self.model} did not answer within the time limit"))
        else:
            asked.fail(Overloaded(f"{self.model} could not be had within the time limit: {asked.trouble}"))

    def _tell_stages(self, asked: Asked) -> None:
        now_s = time.monotonic()
        sent_s = now_s if asked.sent_s is None else asked.sent_s
        self._observer.stage(f"{self.model}_queue", sent_s - asked.came_s)
        if asked.sent_s is not None:
            self._observer.stage(self.model, now_s - sent_s)

    # When is what sent?

    def _look_in(self, delay_s: float) -> None:
        """Look what may be sent after so long, or sooner if that is planned already."""
        at_s = time.monotonic() + delay_s
        if self._next_look is not None:
            if self._next_look_s <= at_s:
                return
            self._next_look.cancel()
        self._next_look, self._next_look_s = asyncio.get_running_loop().call_later(delay_s, self._look), at_s

    def _look(self) -> None:
        """Send whatever may be sent now."""
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        while not self._is_closed and (pictures := self._next_packet(time.monotonic())):
            self._send(pictures)
        self._observer.waiting(self.model, len(self._waiting))
        self._observer.in_flight(self.model, len(self._in_flight))

    def _next_packet(self, now_s: float) -> list[Asked]:
        """Take out the pictures of the next packet; none if nothing may be sent yet."""
        if not self._waiting or self._is_quiet() or len(self._in_flight) >= self._room():
            return []
        if self._must_wait(self._pause.left_s(now_s)):
            return []
        suspected = self._waiting.suspect
        if suspected is not None and not self._must_wait(suspected.due_s - now_s):
            return self._alone(suspected, now_s)
        return self._together(now_s)

    def _room(self) -> int:
        """Return how many packets may be in flight: the window holds for each host."""
        return self.window.packets * self._backend.spread(self.model)

    def _alone(self, asked: Asked, now_s: float) -> list[Asked]:
        """Take a suspect, after some waiting for quiet if it needs that."""
        if asked.needs_quiet and self._in_flight and self._must_wait(asked.due_s + self.limits.quiet_s - now_s):
            return []
        self._waiting.leave(asked)
        return [asked]

    def _together(self, now_s: float) -> list[Asked]:
        first, pictures = self._waiting.first, self.window.packet_pictures
        if first is None:
            return []
        could_be_fuller = self._in_flight and self._waiting.sharing < pictures
        if could_be_fuller and self._must_wait(first.came_s + self.limits.gather_s - now_s):
            return []
        return self._waiting.take(pictures=pictures, size=self.limits.packet_bytes)

    def _must_wait(self, left_s: float) -> bool:
        """Tell whether it is too early; look again when it is not."""
        if left_s > _TICK_S:
            self._look_in(left_s)
        return left_s > _TICK_S

    def _is_quiet(self) -> bool:
        """Tell whether a picture is in flight that must be the only one."""
        return any(sent[0].needs_quiet for sent in self._in_flight.values())

    # Sending, and what becomes of it.

    def _send(self, pictures: list[Asked]) -> None:
        now_s, is_first = time.monotonic(), not self._in_flight
        for asked in pictures:
            asked.sent_s = asked.sent_s or now_s
        task = asyncio.get_running_loop().create_task(self._deliver(pictures, was_quiet=is_first))
        self._in_flight[task] = pictures
        task.add_done_callback(self._arrived)
        self._observer.packet(self.model, len(pictures))

    def _arrived(self, task: asyncio.Task[None]) -> None:
        del self._in_flight[task]
        self._look()

    async def _deliver(self, pictures: list[Asked], *, was_quiet: bool) -> None:
        sent_s, was_full = time.monotonic(), len(self._in_flight) >= self._room()
        error = await deliver(self._backend, self.model, pictures)
        now_s = time.monotonic()
        if error is None:
            self._pause.end()
            self.window.came_back(now_s - sent_s, was_full=was_full)
        elif isinstance(error, Unavailable):  # the pictures have no part in it, and may go together again
            self._pause.begin(now_s)
            self._put_back(still_waiting(pictures, error))
        else:
            self._put_back(suspect(pictures, error, self.limits.suspicion, was_quiet=was_quiet, now_s=now_s))

    def _put_back(self, pictures: Sequence[Asked]) -> None:
        for _ in pictures:
            self._observer.retried(self.model)
        self._waiting.put_back(pictures)
