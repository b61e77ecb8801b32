"""One TorchServe, asked for the version of a model that the routes say.

Owns that a canary harms nobody: what it fails at, is late with, or says so that it cannot be read, the main version is
asked instead, at once. And what is told of each version: how many pictures it answered, refused and failed, and how
long its packets took.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from fishgate.errors import FishgateError, InternalError
from fishgate.packet import read_description, read_replies, write_describe
from gateway.backend import TORCHSERVE_NAMES, Backend, Unavailable, WorkerLost
from gateway.traffic import Route, Target
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

        A wish for a description goes to the main version, which most pictures meet, unless the canary gets them all.
        """
        route = self._versions.routes[model]
        canary = self._canary(route, body)
        if canary is not None and (reply := await self._tried(model, canary, body)) is not None:
            return reply
        return await self._ask(model, route.main, body)

    def _canary(self, route: Route, body: bytes) -> Target | None:
        """Return the canary if it is its turn."""
        if route.canary is None or route.canary.path in self._versions.trials.set_aside:
            return None
        is_its_turn = route.share == 1.0 or (body != _DESCRIBE and self._versions.draw() < route.share)
        return route.canary if is_its_turn else None

    async def _tried(self, model: str, canary: Target, body: bytes) -> bytes | None:
        """Return the canary's reply; None if it failed, and whether that was its fault the main version shows."""
        trials, limit_s = self._versions.trials, self._versions.trials.limit_s(model)
        try:
            reply = await asyncio.wait_for(self._ask(model, canary, body), limit_s)
            _check(reply, body)
        except asyncio.TimeoutError:
            self._figures.failed(model, self._versions.label(model, canary), _pictures(body))
            trials.failed(canary.path, f"it did not answer within {limit_s:.1f} s")
        except (Unavailable, WorkerLost) as error:
            trials.failed(canary.path, str(error))
        except InternalError as error:
            trials.unreadable(canary.path, str(error))
        else:
            trials.went_well(canary.path)
            return reply
        return None

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
            if target is self._versions.routes[model].main:
                self._versions.trials.main_took(model, seconds)  # always, so that a canary can be held against it
            self._figures.answered(model, label, answered=answered, refused=pictures - answered, seconds=seconds)
        return reply


def _check(reply: bytes, body: bytes) -> None:
    """Raise InternalError if the gateway cannot read a reply: better now, while another version can be asked."""
    if body == _DESCRIBE:
        read_description(reply)
    else:
        read_replies(reply, pictures=_pictures(body))


def _pictures(body: bytes) -> int:
    """Return how many pictures a packet holds."""
    ends_at = 8 + int.from_bytes(body[4:8], "big")
    return body.count(_PICTURE, 8, ends_at)
