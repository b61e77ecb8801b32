"""One TorchServe, asked for the version of a model that the routes say.

Owns that a canary harms nobody: what it fails at, the main version is asked instead, at once. And what is told of each
version: how many pictures it answered, refused and failed, and how long its packets took.
"""

from __future__ import annotations

import time
from pathlib import Path

from fishgate.errors import FishgateError
from fishgate.packet import write_describe
from gateway.backend import TORCHSERVE_NAMES, Backend, Unavailable, WorkerLost
from gateway.traffic import Target
from gateway.version_figures import SilentVersionFigures, VersionFigures
from gateway.versions import Versions

_DESCRIBE = write_describe()
_PICTURE = b'{"bytes":'
_OPINION = b'{"source":'
"""How a picture begins in a packet's header, and an opinion in its reply: counted, not parsed. A text inside
cannot look so, for its quotation marks are escaped."""


class VersionedBackend(Backend):
    """A ``Backend`` whose packets go to versions. To be used inside one running event loop."""

    def __init__(
        self, url: str, key_file: Path | None, versions: Versions, figures: VersionFigures | None = None
    ) -> None:
        super().__init__(url, key_file)
        self._versions = versions
        self._figures = figures or SilentVersionFigures()

    async def post(self, model: str, body: bytes) -> bytes:
        """Return the reply of one of the model's versions; raises as ``Backend.post`` does.

        A wish for a description goes to the main version, which most pictures meet.
        """
        route = self._versions.routes[model]
        if route.canary is not None and body != _DESCRIBE and self._versions.draw() < route.share:
            try:
                return await self._ask(model, route.canary, body)
            except (Unavailable, WorkerLost):
                pass  # counted as failed; whether it was the version's fault, the main one shows
        return await self._ask(model, route.main, body)

    async def _ask(self, model: str, target: Target, body: bytes) -> bytes:
        busy, path = self._versions.busy, target.path
        address = model if path == TORCHSERVE_NAMES[model] else path
        started_s = time.monotonic()
        busy[path] += 1
        try:
            reply = await super().post(address, body)
        except FishgateError:
            self._figures.failed(model, self._versions.label(model, target), _pictures(body))
            raise
        finally:
            busy[path] -= 1
        if body != _DESCRIBE:
            pictures, answered = _pictures(body), reply.count(_OPINION)
            label, seconds = self._versions.label(model, target), time.monotonic() - started_s
            self._figures.answered(model, label, answered=answered, refused=pictures - answered, seconds=seconds)
        return reply


def _pictures(body: bytes) -> int:
    """Return how many pictures a packet holds."""
    ends_at = 8 + int.from_bytes(body[4:8], "big")
    return body.count(_PICTURE, 8, ends_at)
