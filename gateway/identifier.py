"""The engine behind both doors: a picture in, an answer out.

Owns the order of the steps: check, remembered answers, the expert, and ``fishgate.cascade`` with
zero-shot. It knows neither HTTP nor gRPC.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from fishgate.answer import Answer, Source
from fishgate.cascade import settle
from fishgate.images import DEFAULT_LIMITS, ImageLimits, check_picture, quieten_decoders
from fishgate.list_folder import ListFolder
from fishgate.options import Options, options_to_fields
from fishgate.packet import Description, PackedPicture
from gateway.backend import Backend
from gateway.breaker import Breaker, BreakerRule
from gateway.cache import AnswerCache, CacheKey, cache_key
from gateway.catalogue import Catalogue, CatalogueKeeper
from gateway.gathering import Gatherer, GatherLimits
from gateway.guarded import RESERVE_S, GuardedZeroShot
from gateway.observing import Observer, SilentObserver, Stage
from gateway.probe import drawn_picture
from gateway.trace import NO_TRACE, Trace

_INLINE_BYTES = 65_536
"""Pictures up to here are checked in the event loop: a thread would cost more than it spares."""

EXPERT_LIMITS = GatherLimits()
ZERO_SHOT_LIMITS = GatherLimits(waiting=256)
BREAKER_RULE = BreakerRule()


@dataclass(frozen=True)
class EngineSettings:
    """Where TorchServe is, and what the engine allows.

    ``species_lists`` is the folder that TorchServe's workers read, too. ``cards_every_s`` is how often the workers
    are asked for their cards, which also tells that a model was changed while only remembered answers were given.
    """

    torchserve_url: str
    key_file: Path | None = None
    species_lists: Path | None = None
    picture_limits: ImageLimits = DEFAULT_LIMITS
    zero_shot_limit_s: float = 20.0
    cache_bytes: int = 64_000_000
    expert: GatherLimits = EXPERT_LIMITS
    zero_shot: GatherLimits = ZERO_SHOT_LIMITS
    breaker: BreakerRule = BREAKER_RULE
    cards_every_s: float = 30.0
    probe_limit_s: float = 30.0


class Identifier:
    """Identifies pictures by way of one TorchServe. To be used inside one running event loop."""

    def __init__(self, settings: EngineSettings, observer: Observer | None = None) -> None:
        self._settings = settings
        self._observer: Observer = observer or SilentObserver()
        self._lists = ListFolder(settings.species_lists)
        self._backend = Backend(settings.torchserve_url, settings.key_file)
        breaker = Breaker(settings.breaker, on_change=lambda state: self._observer.breaker(state.value))
        self._gatherers = {
            "expert": Gatherer(self._backend, "expert", settings.expert, observer=self._observer),
            "zero_shot": Gatherer(self._backend, "zero_shot", settings.zero_shot, observer=self._observer),
        }
        self._zero_shot = GuardedZeroShot(self._gatherers["zero_shot"], breaker, limit_s=settings.zero_shot_limit_s)
        self._cache = AnswerCache(settings.cache_bytes)
        self._keeper = CatalogueKeeper(self._backend, every_s=settings.cards_every_s, on_described=self._described)

    async def start(self) -> None:
        """Begin to look after the models' cards; TorchServe need not be there yet."""
        quieten_decoders()
        self._keeper.start()

    async def close(self) -> None:
        """Give up what is under way, and close all connections."""
        await self._keeper.close()
        for gatherer in self._gatherers.values():
            await gatherer.close()
        await self._backend.close()

    async def identify(
        self, picture: bytes, options: Options, *, deadline_s: float, request_id: str, trace: Trace = NO_TRACE
    ) -> Answer:
        """Return the answer to one picture.

        ``deadline_s`` is a time of ``time.monotonic()``. Raises FishgateError: what is wrong with the picture
        or the options, Overloaded, TimedOut or InternalError. Cancelling frees its place.
        """
        members = self._lists.members(options)
        key = await self._checked(picture, options)
        if key is not None and (remembered := self._remembered(key)) is not None:
            return remembered
        packed = PackedPicture(
            picture, options_to_fields(options), request_id=request_id, traceparent=trace.traceparent
        )
        expert = await self._gatherers["expert"].ask(packed, deadline_s=deadline_s)
        limit_s = self._zero_shot.time_left_s(deadline_s)
        answer = await settle(
            expert,
            options,
            ask_zero_shot=lambda: self._zero_shot.ask(packed, limit_s=limit_s),
            limit_s=limit_s + RESERVE_S / 2,  # later than zero-shot's own limit, which tells what was wrong
            members=members,
        )
        self._remember(key, answer)
        return answer

    async def catalogue(self) -> Catalogue:
        """Return the cards of both models as they run now; raise FishgateError if the expert's cannot be had."""
        return await self._keeper.get()

    async def probe(self, *, only_expert: bool = False) -> None:
        """Send a drawn picture through both models, or only the expert; raise FishgateError if one does not answer."""
        deadline_s = time.monotonic() + self._settings.probe_limit_s
        packed = PackedPicture(drawn_picture(), {}, request_id="probe")
        await self._gatherers["expert"].ask(packed, deadline_s=deadline_s)
        if not only_expert:
            await self._gatherers["zero_shot"].ask(packed, deadline_s=deadline_s)

    async def _checked(self, picture: bytes, options: Options) -> CacheKey | None:
        """Check the picture; return the key of its answer, None where none are remembered."""
        started_s = time.monotonic()
        if len(picture) <= _INLINE_BYTES:
            key = self._check(picture, options)
        else:
            key = await asyncio.to_thread(self._check, picture, options)
        self._observer.stage(Stage.CHECK.value, time.monotonic() - started_s)
        return key

    def _check(self, picture: bytes, options: Options) -> CacheKey | None:
        check_picture(picture, self._settings.picture_limits)
        return cache_key(picture, options) if self._cache.max_bytes else None

    def _remembered(self, key: CacheKey) -> Answer | None:
        answer = self._cache.get(key)
        self._observer.cache(answer is not None)
        return answer

    def _remember(self, key: CacheKey | None, answer: Answer) -> None:
        if key is not None:
            self._cache.put(key, answer)
        self._keeper.saw(answer.models)

    def _described(self, model: str, description: Description) -> None:
        self._gatherers[model].window.pass_pictures = description.pictures_at_once
        self._cache.version_is(Source(model), description.card.version)
