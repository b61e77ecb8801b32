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
from gateway.breaker import Breaker, BreakerRule, State
from gateway.cache import AnswerCache, CacheKey, cache_key
from gateway.catalogue import Catalogue, CatalogueKeeper
from gateway.drift import DriftMonitor, DriftObserver, SilentDriftObserver
from gateway.drift_shadow import Shadow, ShadowRule
from gateway.gathering import Gatherer, GatherLimits
from gateway.guarded import RESERVE_S, GuardedZeroShot
from gateway.hosts import DEFAULT_RULE, Hosts, HostsRule
from gateway.observing import Observer, SilentObserver, Stage
from gateway.probe import drawn_picture
from gateway.resolving import Directory, key_file_of, read_addresses
from gateway.trace import NO_TRACE, Trace
from gateway.version_figures import VersionFigures
from gateway.versioned import VersionedBackend
from gateway.versions import Versions

_INLINE_BYTES = 65_536
"""Pictures up to here are checked in the event loop: a thread would cost more than it spares."""

EXPERT_LIMITS = GatherLimits()
ZERO_SHOT_LIMITS = GatherLimits(waiting=256)
BREAKER_RULE = BreakerRule()
SHADOW_RULE = ShadowRule()


@dataclass(frozen=True)
class EngineSettings:
    """Where TorchServe's hosts are, and what the engine allows.

    ``torchserve_url`` may hold several, as ``gateway.resolving`` reads them; ``zero_shot_url``, in the same form,
    are those of zero-shot where the expert's hosts do not have it. ``key_file`` may hold ``{host}`` and ``{port}``.
    ``species_lists`` is the folder that TorchServe's workers read, too. ``cards_every_s`` is how often the workers
    are asked for their cards, which also tells that a model was changed while only remembered answers were given.
    ``traffic_file`` says which versions of the models are asked, while one takes the place of another.
    """

    torchserve_url: str
    zero_shot_url: str | None = None
    key_file: Path | None = None
    species_lists: Path | None = None
    traffic_file: Path | None = None
    picture_limits: ImageLimits = DEFAULT_LIMITS
    zero_shot_limit_s: float = 20.0
    cache_bytes: int = 64_000_000
    expert: GatherLimits = EXPERT_LIMITS
    zero_shot: GatherLimits = ZERO_SHOT_LIMITS
    breaker: BreakerRule = BREAKER_RULE
    shadow: ShadowRule = SHADOW_RULE
    hosts: HostsRule = DEFAULT_RULE
    cards_every_s: float = 30.0
    probe_limit_s: float = 30.0


class Identifier:
    """Identifies pictures by way of TorchServe. To be used inside one running event loop."""

    def __init__(
        self,
        settings: EngineSettings,
        observer: Observer | None = None,
        *,
        drift: DriftObserver | None = None,
        versions: VersionFigures | None = None,
    ) -> None:
        self._settings = settings
        self._observer: Observer = observer or SilentObserver()
        self._lists = ListFolder(settings.species_lists)
        self._versions = Versions(settings.traffic_file, on_change=self._rerouted)
        self._version_figures = versions
        self.hosts = Hosts(_directory(settings), self._connect, settings.hosts)
        self._breaker = Breaker(settings.breaker, on_change=lambda state: self._observer.breaker(state.value))
        self._gatherers = {
            "expert": Gatherer(self.hosts, "expert", settings.expert, observer=self._observer),
            "zero_shot": Gatherer(self.hosts, "zero_shot", settings.zero_shot, observer=self._observer),
        }
        self._zero_shot = GuardedZeroShot(
            self._gatherers["zero_shot"], self._breaker, limit_s=settings.zero_shot_limit_s
        )
        self._drift = self._drift_monitor(drift or SilentDriftObserver())
        self._cache = AnswerCache(settings.cache_bytes)
        self._keeper = CatalogueKeeper(self.hosts, every_s=settings.cards_every_s, on_described=self._described)

    async def start(self) -> None:
        """Begin to look after the models' cards; TorchServe need not be there yet."""
        quieten_decoders()
        self._versions.start()
        await self.hosts.start()
        self._keeper.start()

    async def close(self) -> None:
        """Give up what is under way, and close all connections."""
        await self._keeper.close()
        await self._versions.close()
        for gatherer in self._gatherers.values():
            await gatherer.close()
        await self._drift.close()
        await self.hosts.close()

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
        self._drift.saw(picture, expert, options)
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

    def _connect(self, url: str) -> Backend:
        key_file = key_file_of(url, self._settings.key_file)
        return VersionedBackend(url, key_file, self._versions, self._version_figures)

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
        # With the mark, so that no answer of a version that is gone is found, however late it came.
        return cache_key(picture, options) + self._versions.mark.encode() if self._cache.max_bytes else None

    def _remembered(self, key: CacheKey) -> Answer | None:
        answer = self._cache.get(key)
        self._observer.cache(answer is not None)
        return answer

    def _remember(self, key: CacheKey | None, answer: Answer) -> None:
        if self._versions.is_divided:  # the answer may be the canary's, and the next one the other's
            return
        if key is not None:
            self._cache.put(key, answer)
        self._keeper.saw(answer.models)

    def _rerouted(self) -> None:
        """Other versions answer from now on."""
        self._cache.clear()
        self._keeper.doubt()

    def _drift_monitor(self, observer: DriftObserver) -> DriftMonitor:
        shadow = Shadow(
            self.hosts,
            self._settings.shadow,
            is_free=self._is_free,
            is_well=lambda: self._breaker.state is State.CLOSED,
            tell=observer.second_opinion,
        )
        return DriftMonitor(shadow, observer)

    def _is_free(self) -> bool:
        """Tell whether zero-shot has nothing to do, and nobody waits for the expert either."""
        return self._gatherers["zero_shot"].is_idle and not self._gatherers["expert"].waiting

    def _described(self, model: str, description: Description) -> None:
        self._gatherers[model].window.pass_pictures = description.pictures_at_once
        self._cache.version_is(Source(model), description.card.version)
        self._versions.described(model, description.card.version)
        if model == "expert":
            self._drift.described(description.card)


def _directory(settings: EngineSettings) -> Directory:
    """Return the hosts of both models."""
    expert = read_addresses(settings.torchserve_url)
    zero_shot = read_addresses(settings.zero_shot_url) if settings.zero_shot_url else expert
    return Directory({"expert": expert, "zero_shot": zero_shot})
