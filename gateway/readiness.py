"""Whether the gateway can really identify pictures at the moment.

Owns when that is tried out: at the start, when requests fail, and when nobody has asked for a while. Only a picture
that went through the models makes it ready, and only one that did not makes it unready: a client cannot.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

from fishgate.errors import FishgateError, Overloaded

_log = logging.getLogger(__name__)

TRY_AGAIN_S = 1.0
"""How long to wait between two tries while it is not ready, or while requests fail."""

LOOK_EVERY_S = 15.0
"""After so long without an answer to anybody it is tried out."""


class Probe(Protocol):
    """Sends a picture through both models, or only through the expert; raises FishgateError if one does not answer."""

    async def __call__(self, *, only_expert: bool = False) -> None:
        """Try it out."""


class Readiness:
    """Ready once a picture has gone through both models, and from then on while the expert answers.

    Without zero-shot answers are degraded, but there are answers; were it unready for that, all its replicas would
    be so at the same time, and nobody would be answered at all. To be used inside one running event loop; ``watch``
    runs beside the requests.
    """

    def __init__(self, probe: Probe, *, try_again_s: float = TRY_AGAIN_S) -> None:
        self._probe = probe
        self._try_again_s = try_again_s
        self._trouble: FishgateError | None = Overloaded("no picture went through the models yet; they are loading")
        self._has_been_ready = False
        self._answered_s = time.monotonic()
        self._doubted = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether the last try went well."""
        return self._trouble is None

    def check(self) -> None:
        """Raise Overloaded, saying why, if it is not ready."""
        if self._trouble is not None:
            raise Overloaded(f"not ready: {self._trouble}")

    def answered(self) -> None:
        """A request was answered."""
        self._answered_s = time.monotonic()

    def doubt(self) -> None:
        """A request failed for a reason that may lie with the models."""
        self._doubted.set()

    async def ready(self) -> None:
        """Wait until it is ready."""
        while not self.is_ready:
            self._changed.clear()
            await self._changed.wait()

    async def watch(self) -> None:
        """Try out whenever there is reason to, until cancelled."""
        while True:
            await self._try()
            await asyncio.sleep(self._try_again_s)
            if self.is_ready:
                await self._reason_to_look()

    async def _try(self) -> None:
        self._doubted.clear()
        trouble: FishgateError | None = None
        try:
            await self._probe(only_expert=self._has_been_ready)
            self._has_been_ready = True
            self.answered()
        except FishgateError as error:
            trouble = error
        if (trouble is None) != self.is_ready:
            _log.warning("ready" if trouble is None else "not ready: %s", *([trouble] if trouble else []))
        self._trouble = trouble
        self._changed.set()

    async def _reason_to_look(self) -> None:
        while not self._doubted.is_set():
            left_s = self._answered_s + LOOK_EVERY_S - time.monotonic()
            if left_s <= 0:
                return
            try:
                await asyncio.wait_for(self._doubted.wait(), left_s)
            except asyncio.TimeoutError:
                continue
