"""``/livez``, ``/readyz`` and ``/metrics``: what machines ask of the gateway itself.

Owns their replies. Whether it is ready, ``gateway.readiness`` knows.
"""

from __future__ import annotations

import json
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from fishgate.record import Record
from gateway.errors import ShuttingDown
from gateway.http.replies import Json
from gateway.metrics import CONTENT_TYPE
from gateway.service import Service


class Alive(Record):
    """The process runs."""

    status: Literal["alive"]


class Ready(Record):
    """Pictures can be identified."""

    status: Literal["ready"]


class HealthRoutes:
    """Answers the three requests."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def live(self, request: Request) -> Response:
        """Tell that the process runs; it does while it can say so."""
        return _status("alive")

    async def ready(self, request: Request) -> Response:
        """Tell that pictures can be identified; raises Overloaded, saying why not, or ShuttingDown."""
        if self._service.entrance.draining.is_announced:
            raise ShuttingDown("not ready: the gateway is shutting down")
        self._service.readiness.check()
        return _status("ready")

    async def metrics(self, request: Request) -> Response:
        """Show all figures to Prometheus."""
        return Response(self._service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def _status(word: str) -> Response:
    return Json(json.dumps({"status": word}).encode())
