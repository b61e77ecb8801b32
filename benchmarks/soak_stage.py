"""What a soak is done to: TorchServe with the paced models and the gateway before it, both restarted now and then.

Owns the processes, the plan of the disturbances, and the record of when each began and was over.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from benchmarks.background import Background
from benchmarks.deployments import java_of, worker_pids
from benchmarks.doors import Door, gateway_door
from benchmarks.killer import Killer
from benchmarks.measure_gateway_losses import ASKED_MODELS
from benchmarks.outcome import MeasurementError, say
from benchmarks.pictures import bright_picture
from server.instance import StartError, start, stop, wait_until_ready
from server.management import ManagementError, TorchServe

ROUGH = 0.6
"""The part of the time in which workers are killed and servers restarted; then they are left to run."""

RESTARTS = ((0.12, "gateway"), (0.24, "torchserve"), (0.36, "gateway"), (0.48, "torchserve"))
"""When which server is restarted, in parts of the whole time."""

_BACK_LIMIT_S = 180.0


@dataclass(frozen=True)
class Event:
    """A disturbance that is planned: ``what`` is a server to restart, or a model whose worker is killed."""

    at_s: float
    what: str

    @property
    def is_restart(self) -> bool:
        """Whether clients may be refused meanwhile."""
        return self.what not in ASKED_MODELS


@dataclass(frozen=True)
class Disturbance:
    """One that was: from its first moment until all was as before, in seconds from the start of the run."""

    what: str
    began_s: float
    ended_s: float
    is_restart: bool


def plan(seconds: float, *, kill_every_s: float) -> list[Event]:
    """Return the disturbances of a run of so many seconds, in order; ``kill_every_s`` 0 kills nobody."""
    kills = int(ROUGH * seconds / kill_every_s) if kill_every_s > 0 else 0
    events = [Event(kill_every_s * (turn + 1), ASKED_MODELS[turn % len(ASKED_MODELS)]) for turn in range(kills)]
    return sorted([*events, *(Event(part * seconds, what) for part, what in RESTARTS)], key=lambda event: event.at_s)


class Stage:
    """The servers; a context that starts the gateway and stops it. TorchServe is the caller's."""

    def __init__(self, torchserve: TorchServe, home: Path, **settings: object) -> None:
        self.torchserve = torchserve
        self.door: Door
        self._home = home
        self._settings = settings
        self._gateway = ExitStack()
        self._killer = Killer(torchserve, every_s=0.0)

    def __enter__(self) -> Stage:
        self._start_gateway()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gateway.close()

    def pids(self) -> dict[str, int]:
        """Return the processes that are there at this moment, by what they are."""
        found = {"gateway": self.door.pids["gateway"][0], "java": java_of(self.torchserve).pid}
        for model in ASKED_MODELS:
            found.update((model, pid) for pid in worker_pids(self.torchserve, model))  # each has one
        return found

    def disturb(self, event: Event) -> None:
        """Do what is planned, and wait until all is as before."""
        if event.what == "gateway":
            self._gateway.close()
            self._start_gateway()
        elif event.what == "torchserve":
            self._restart_torchserve()
        else:
            self._kill(event.what)

    def _start_gateway(self) -> None:
        self.door = self._gateway.enter_context(gateway_door(self.torchserve, self._home, **self._settings))

    def _restart_torchserve(self) -> None:
        settings = self.torchserve.settings
        stop(settings)
        java = start(settings)
        wait_until_ready(settings, java, bright_picture(), limit_s=_BACK_LIMIT_S, say=lambda text: None)

    def _kill(self, model: str) -> None:
        before = set(worker_pids(self.torchserve, model))
        self._killer.kill(model)
        until_s = time.monotonic() + _BACK_LIMIT_S
        while not self._has_new_worker(model, before):
            if time.monotonic() > until_s:
                raise MeasurementError(f"no new worker of {model} within {_BACK_LIMIT_S:g} s")
            time.sleep(0.2)

    def _has_new_worker(self, model: str, before: set[int]) -> bool:
        workers = self.torchserve.describe(model)["workers"]
        return any(worker["status"] == "READY" and int(worker["pid"]) not in before for worker in workers)


class Disturber(Background):
    """Carries out a plan in a thread while its context lasts; ``failure`` is why it could not go on."""

    def __init__(self, stage: Stage, events: list[Event], *, started_s: float) -> None:
        super().__init__("disturber")
        self.done: list[Disturbance] = []
        self.failure: Exception | None = None
        self._stage = stage
        self._events = events
        self._started_s = started_s

    def _run(self) -> None:
        try:
            for event in self._events:
                if self._is_over.wait(max(0.0, event.at_s - self._now_s())):
                    return
                began_s = self._now_s()
                self._stage.disturb(event)
                self.done.append(Disturbance(event.what, began_s, self._now_s(), event.is_restart))
                say(f"{event.what} is back after {self._now_s() - began_s:.1f} s")
        except (MeasurementError, ManagementError, StartError, OSError, psutil.Error) as error:
            self.failure = error
            say(f"the disturber could not go on: {error}")

    def _now_s(self) -> float:
        return time.perf_counter() - self._started_s
