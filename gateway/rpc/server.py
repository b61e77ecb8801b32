"""The gRPC door as a whole: where it listens, what it offers, and how it ends.

Owns the server's limits and its life. It is started and stopped by whoever runs the gateway's event loop.
"""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from fishgate.errors import SettingError
from gateway.access_log import AccessLog
from gateway.rpc.accounting import Accounting
from gateway.rpc.inference import MAX_MESSAGE_BYTES, NAME, InferenceService
from gateway.service import Service
from gateway.spans import Spans

_CALLS_BESIDE = 64
"""Calls beyond those with pictures: health, reflection, pings."""

_LOOK_EVERY_S = 0.2
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a second gateway must not share the port unnoticed
    ("grpc.keepalive_time_ms", 60_000),  # a client that vanished frees its places
    ("grpc.keepalive_timeout_ms", 20_000),
]


class RpcServer:
    """TorchServe's inference service on a port of its own. To be made and used inside one running event loop."""

    def __init__(self, service: Service, *, log: AccessLog, spans: Spans) -> None:
        settings = service.settings
        self._service = service
        self._server = grpc.aio.server(
            options=_OPTIONS,
            maximum_concurrent_rpcs=settings.pictures_at_once + settings.pictures_waiting + _CALLS_BESIDE,
        )
        inference = InferenceService(service, Accounting(service.metrics, log, spans))
        self._health = health_aio.HealthServicer()
        handlers = grpc.method_handlers_generic_handler(NAME, inference.handlers())
        self._server.add_generic_rpc_handlers((handlers,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (NAME, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen, and return the port; raise SettingError if that cannot be."""
        settings = self._service.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        await self._tell_health(False)
        try:
            port = self._server.add_insecure_port(f"{host}:{settings.grpc_port}")
        except RuntimeError:
            raise SettingError(
                f"the gRPC door cannot listen on port {settings.grpc_port} of {settings.host}; "
                "is another program there? grpc_port chooses another, 0 any that is free"
            ) from None
        await self._server.start()
        self._following = asyncio.create_task(self._follow_readiness())
        return port

    async def stop(self, limit_s: float) -> None:
        """Take in no more calls; those in flight have ``limit_s`` seconds before they are broken off."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._health.enter_graceful_shutdown()
        await self._server.stop(limit_s)

    async def _follow_readiness(self) -> None:
        """Tell the health service whenever readiness changes, which tells nobody of that itself."""
        was_ready = False
        while True:
            is_ready = self._service.readiness.is_ready and not self._service.entrance.draining.is_announced
            if is_ready is not was_ready:
                await self._tell_health(is_ready)
                was_ready = is_ready
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _tell_health(self, is_ready: bool) -> None:
        kinds = health_pb2.HealthCheckResponse
        status = kinds.SERVING if is_ready else kinds.NOT_SERVING
        for name in ("", NAME):
            await self._health.set(name, status)
