"""The versions of a model at TorchServe: a new one beside the old, tried out, made the default, and the old one gone.

Owns what is asked of TorchServe and what is waited for. The order of these steps is ``server.deploy.deploying``'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server.deploy.errors import DeployError
from server.deploy.golden import GoldenSet
from server.deploy.journal import Change
from server.management import ManagementError, TorchServe, are_ready

_REFUSAL = "is not served:"
"""Our workers say in one line of TorchServe's log why they refuse a model."""


@dataclass(frozen=True)
class Limits:
    """How long is waited, in seconds: for workers to load, for the gateway to follow, for TorchServe's queue.

    ``settle_s`` is what a worker gets beyond an empty queue, for what it has in its hands. ``watch_s`` is how long a
    new version gets every packet while the old one still stands in for it: the gateway asks within about a second what
    the new one is. ``warm_rounds`` is how often the golden pictures are sent to a new version before it counts.
    """

    load_s: float = 600.0
    follow_s: float = 180.0
    drain_s: float = 120.0
    settle_s: float = 2.0
    watch_s: float = 3.0
    look_every_s: float = 0.2
    warm_rounds: int = 3


def wait_for(is_so: Callable[[], bool], *, limit_s: float, every_s: float, what: str) -> None:
    """Wait until something is so; raise DeployError if it does not come in time."""
    deadline_s = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > deadline_s:
            raise DeployError(f"{what} within {limit_s:g} seconds")
        time.sleep(every_s)


class Registry:
    """The versions at one TorchServe. Its methods raise DeployError or ManagementError."""

    def __init__(self, server: TorchServe, limits: Limits, say: Callable[[str], None]) -> None:
        self._server = server
        self._limits = limits
        self._say = say

    def default(self, name: str) -> str:
        """Return the version of a model that is asked where none is named."""
        return str(self._server.describe(name)["modelVersion"])

    def has(self, name: str, version: str) -> bool:
        """Tell whether a version is registered."""
        return version in self._server.versions(name)

    def add(self, change: Change) -> None:
        """Register the new version with as many workers as the old one has, and wait until they are loaded."""
        old = self._server.versions(change.name)[change.old]
        workers = max(1, int(old["minWorkers"]))
        log_starts_at = self._log_bytes()
        self._say(f"loading {change.path} beside {change.old} ({workers} workers)")
        self._server.register(
            change.archive,
            change.name,
            workers=workers,
            batch_size=int(old["batchSize"]),
            max_batch_delay_ms=int(old["maxBatchDelay"]),
        )
        wait_for(
            lambda: self._is_loaded(change, log_starts_at),
            limit_s=self._limits.load_s,
            every_s=self._limits.look_every_s,
            what=f"the workers of {change.path} are not loaded",
        )
        if len(self._workers(change)) < workers:  # the archive's own settings come before those of the request
            self._server.scale(change.path, workers)

    def warm_up(self, change: Change, golden: GoldenSet) -> None:
        """Send it the golden pictures a few times: the first passes of a network are slow."""
        for _ in range(self._limits.warm_rounds * len(self._workers(change))):
            for picture in golden.pictures:
                self._ask(change.path, picture.file.read_bytes())

    def check(self, change: Change, golden: GoldenSet) -> None:
        """Raise DeployError unless the new version passes the golden set."""
        self._say(golden.check(change.model, lambda picture: self._ask(change.path, picture)))

    def make_default(self, name: str, version: str) -> None:
        """Let those who name no version be answered by this one: the workflow, the router, TorchServe's clients."""
        self._server.set_default(name, version)

    def drain(self, name: str, version: str) -> None:
        """Wait until nothing waits for this version, and its workers had time for what they have."""
        wait_for(
            lambda: not self._pending(name, version),
            limit_s=self._limits.drain_s,
            every_s=self._limits.look_every_s,
            what=f"the queue of {name}/{version} is not empty",
        )
        time.sleep(self._limits.settle_s)

    def remove(self, name: str, version: str) -> None:
        """Remove a version and its workers; nothing happens if it is not there."""
        if self.has(name, version):
            self._server.unregister(name, version)

    def _ask(self, path: str, picture: bytes) -> dict[str, Any]:
        return self._server.ask(path, picture)

    def _workers(self, change: Change) -> list[dict[str, Any]]:
        return list(self._server.versions(change.name)[change.new]["workers"])

    def _is_loaded(self, change: Change, log_starts_at: int) -> bool:
        refusals = self._refusals(log_starts_at)
        if refusals:
            raise DeployError(refusals[-1])
        return are_ready(self._workers(change))

    def _pending(self, name: str, version: str) -> int:
        found = self._server.versions(name).get(version, {})
        return int(found.get("jobQueueStatus", {}).get("pendingRequests", 0))

    def _log_bytes(self) -> int:
        log = self._server.settings.log
        return log.stat().st_size if log.exists() else 0

    def _refusals(self, starts_at: int) -> list[str]:
        log = self._server.settings.log
        if not log.exists():
            return []
        with log.open("rb") as file:
            file.seek(starts_at)
            text = file.read().decode(errors="replace")
        return [line for line in text.splitlines() if _REFUSAL in line]


def said_plainly(error: BaseException) -> str:
    """Return an error of a step in one line."""
    return " ".join(str(error).split()) if isinstance(error, (DeployError, ManagementError)) else type(error).__name__
