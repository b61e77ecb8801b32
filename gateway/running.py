"""One gateway as a whole: the engine, both doors, and what they share.

Owns what is made of the settings, and the order of starting and ending. It handles no signals and ends no process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol

from fishgate.list_folder import ListFolder
from gateway.access_log import AccessLog
from gateway.app import make_app
from gateway.drift_shadow import ShadowRule
from gateway.entrance import Entrance
from gateway.host_figures import HostFigures
from gateway.hosts import HostsRule
from gateway.http.server import HttpServer
from gateway.identifier import EngineSettings, Identifier
from gateway.metrics import Metrics
from gateway.readiness import Readiness
from gateway.rpc.server import RpcServer
from gateway.service import Engine, Service
from gateway.settings import Settings
from gateway.spans import spans_to
from gateway.traffic import TRAFFIC_FILE

_log = logging.getLogger(__name__)


class StartableEngine(Engine, Protocol):
    """An engine that has a beginning and an end."""

    async def start(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """End."""


class Gateway:
    """To be made and used inside one running event loop. ``engine`` stands in for the real one in tests."""

    def __init__(self, settings: Settings, *, most_connections: int, engine: StartableEngine | None = None) -> None:
        """Bind the HTTP socket; raises SettingError or ListError for what cannot be."""
        self.settings = settings
        self.metrics = Metrics()
        self.engine = engine or self._identifier()
        self.readiness = Readiness(self.engine.probe)
        self.entrance = Entrance(settings)
        self.log = AccessLog(settings.access_log)
        self.spans = spans_to(settings.traces_endpoint)
        self.service = Service(settings, self.engine, self.entrance, self.metrics, self.readiness)
        app = make_app(self.service, lists=ListFolder(settings.species_lists), log=self.log, spans=self.spans)
        self.http = HttpServer(app, settings, self.entrance.draining, most_connections=most_connections)
        self.rpc = RpcServer(self.service, log=self.log, spans=self.spans)
        self.rpc_port = 0
        self._watching: asyncio.Task[None] | None = None
        self._show_state()

    async def start(self) -> None:
        """Open both doors, and begin to try whether the models answer."""
        await self.engine.start()
        self.rpc_port = await self.rpc.start()
        await self.http.start()
        self._watching = asyncio.create_task(self.readiness.watch())

    async def drain(self) -> None:
        """Let everybody go elsewhere, then take on nothing new, and finish what was begun, within the limits set."""
        self.entrance.draining.announce()
        await asyncio.sleep(self.settings.lame_duck_s)
        self.entrance.draining.begin()
        is_finished, _ = await asyncio.gather(self.http.drain(), self.rpc.stop(self.settings.drain_limit_s))
        if not is_finished:
            _log.warning("%d requests were not finished in time and are broken off", self.entrance.draining.in_flight)

    async def stop(self) -> None:
        """Close both doors and everything behind them."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await self.http.stop()
        await self.rpc.stop(0.0)
        await self.engine.close()
        await asyncio.to_thread(self.spans.close)
        self.log.close()

    def _identifier(self) -> Identifier:
        identifier = Identifier(
            engine_settings(self.settings), self.metrics, drift=self.metrics.drift, versions=self.metrics.versions
        )
        self.metrics.registry.register(HostFigures(identifier.hosts))
        return identifier

    def _show_state(self) -> None:
        places, watch = self.entrance.places, self.metrics.watch
        watch("pictures_in_work", "Pictures that have a place", lambda: places.taken)
        watch("pictures_waiting", "Pictures that wait for a place", lambda: places.waiting)
        watch("picture_bytes", "What the pictures that are here take of memory", lambda: places.bytes_held)
        watch("requests_in_flight", "Requests that are not over", lambda: self.entrance.draining.in_flight)
        watch("connections", "Open HTTP connections", lambda: self.http.connections.open)
        watch("ready", "Whether it is ready: 0 or 1", lambda: self.readiness.is_ready)


def engine_settings(settings: Settings) -> EngineSettings:
    """Return the engine's part of the settings."""
    return EngineSettings(
        torchserve_url=settings.torchserve_url,
        zero_shot_url=settings.zero_shot_url,
        key_file=settings.torchserve_key_file,
        species_lists=settings.species_lists,
        picture_limits=settings.picture_limits,
        zero_shot_limit_s=settings.zero_shot_limit_s,
        traffic_file=settings.home / TRAFFIC_FILE,
        cache_bytes=settings.cache_bytes,
        hosts=HostsRule(resolve_s=settings.torchserve_resolve_s),
        probe_limit_s=settings.deadline_s,
        shadow=ShadowRule(share=settings.shadow_share, limit_s=settings.zero_shot_limit_s),
    )
