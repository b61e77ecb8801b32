"""Kills one worker process after the other, as a machine out of memory would."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.background import Background
from benchmarks.deployments import worker_pids
from benchmarks.outcome import MeasurementError, say
from server.management import ManagementError, TorchServe

MODELS = ("expert", "router", "zero_shot")


@dataclass(frozen=True)
class Kill:
    """One worker's death; ``at_s`` is a perf_counter."""

    model: str
    at_s: float


class Killer(Background):
    """Kills every ``every_s`` seconds while its context lasts, of ``models`` in turn; 0 kills nobody."""

    def __init__(self, torchserve: TorchServe, *, every_s: float, models: Sequence[str] = MODELS) -> None:
        super().__init__("killer")
        self.kills: list[Kill] = []
        self.failure: MeasurementError | None = None
        self._torchserve = torchserve
        self._models = models
        self._every_s = every_s

    def by_model(self) -> dict[str, int]:
        """Return how many workers of each model were killed."""
        counted = Counter(kill.model for kill in self.kills)
        return {model: counted[model] for model in self._models}

    def _run(self) -> None:
        turn = 0
        while self._every_s > 0 and not self._is_over.wait(self._every_s):
            try:
                self.kill(self._models[turn % len(self._models)])
            except (ManagementError, MeasurementError) as error:
                self.failure = MeasurementError(f"the killer could not go on: {error}")
                return
            turn += 1

    def kill(self, model: str) -> None:
        """Kill a worker of the model, if it has one at this moment."""
        pids = worker_pids(self._torchserve, model)
        if not pids:
            say(f"{model} has no worker to kill just now; next turn")
            return
        try:
            os.kill(pids[0], signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills.append(Kill(model, time.perf_counter()))
        say(f"killed a worker of {model}")
