"""Identifying as both doors offer it: with a place to be worked on, and told to all who keep account.

Owns what happens around each picture once it has been read. The doors own how it comes in and how the answer goes
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fishgate.answer import Answer
from fishgate.errors import FishgateError, ServiceError
from fishgate.options import Options
from fishgate.wire import Request
from gateway.catalogue import Catalogue
from gateway.entrance import Entrance
from gateway.errors import Busy
from gateway.metrics import Metrics
from gateway.readiness import Readiness
from gateway.settings import Settings
from gateway.trace import NO_TRACE, Trace
from gateway.tracing import TraceParent


class Engine(Protocol):
    """What is behind the doors: ``gateway.identifier.Identifier``, or a stand-in of it."""

    async def identify(
        self, picture: bytes, options: Options, *, deadline_s: float, request_id: str, trace: Trace = NO_TRACE
    ) -> Answer:
        """Return the answer to a picture, before ``deadline_s`` of ``time.monotonic()``; raise FishgateError."""

    async def catalogue(self) -> Catalogue:
        """Return what the models say of themselves; raise FishgateError."""

    async def probe(self, *, only_expert: bool = False) -> None:
        """Send a picture through both models, or only the expert; raise FishgateError if one does not answer."""


@dataclass(frozen=True)
class Service:
    """The engine, and all who keep account of it."""

    settings: Settings
    engine: Engine
    entrance: Entrance
    metrics: Metrics
    readiness: Readiness

    async def identify(self, asked: Request, *, deadline_s: float, request_id: str, trace: TraceParent) -> Answer:
        """Return the answer, once a place is free; ``deadline_s`` is a time of ``time.monotonic()``.

        Raises FishgateError. Whoever is cancelled gives up place and work.
        """
        try:
            async with self.entrance.places.place(deadline_s):
                answer = await self.engine.identify(
                    asked.picture,
                    asked.options,
                    deadline_s=deadline_s,
                    request_id=request_id,
                    trace=Trace(str(trace)),
                )
        except FishgateError as error:
            self._failed(error)
            raise
        self.readiness.answered()
        self.metrics.answer(answer)
        return answer

    def _failed(self, error: FishgateError) -> None:
        self.metrics.picture_failed(error.code)
        if isinstance(error, ServiceError) and not isinstance(error, Busy):  # places are the gateway's own
            self.readiness.doubt()
