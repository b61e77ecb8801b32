"""Which version of a model a packet is sent to, while one version takes the place of another.

Owns the routes as they are now, and the account of what is under way to each version: whoever changes a model must
know when nothing goes to the old one any more. A packet costs one look into a table; the file that says where packets
go is looked at beside the requests, a few times a second.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fishgate.errors import SettingError
from gateway.backend import TORCHSERVE_NAMES
from gateway.traffic import NO_TRAFFIC, SEEN_FILE, Route, Seen, Target, Traffic, read_traffic
from gateway.trials import Trials

LOOK_EVERY_S = 0.2

_DEFAULTS = {model: Route(main=Target(name=name)) for model, name in TORCHSERVE_NAMES.items()}

_log = logging.getLogger(__name__)


class Versions:
    """The routes of both models. To be used inside one running event loop.

    ``file`` is the traffic file, None where there is none. ``on_change`` is told whenever the routes are others.
    ``draw`` gives numbers from 0.0 up to, not including, 1.0.
    """

    def __init__(
        self,
        file: Path | None = None,
        *,
        on_change: Callable[[], None] = lambda: None,
        look_every_s: float = LOOK_EVERY_S,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.routes = dict(_DEFAULTS)
        self.busy: Counter[str] = Counter()
        """How many packets are under way, by the path of their target."""
        self.draw = draw
        self.trials = Trials()
        self._file = file
        self._on_change = on_change
        self._look_every_s = look_every_s
        self._traffic = NO_TRAFFIC
        self._read: object = None
        self._told: Seen | None = None
        self._is_mute = False
        self._cards: dict[str, str] = {}
        self._watching: asyncio.Task[None] | None = None

    @property
    def mark(self) -> str:
        """What tells these routes from those before."""
        return self._traffic.mark

    @property
    def is_divided(self) -> bool:
        """Whether the pictures of a model are divided between two versions."""
        return any(route.canary is not None for route in self.routes.values())

    def described(self, model: str, version: str) -> None:
        """The main version of a model says what it is called on its card."""
        self._cards[model] = version

    def label(self, model: str, target: Target) -> str:
        """Return the name under which a version's figures are shown."""
        return target.version or self._cards.get(model, "default")

    def start(self) -> None:
        """Read the file, and begin to look whether it has changed."""
        if self._file is not None:
            self.look()
            self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def look(self) -> None:
        """Follow the file if it is another one, and say how far that has come."""
        assert self._file is not None
        seen = _signature(self._file)
        if seen != self._read:
            self._read = seen
            try:
                self._follow(read_traffic(self._file))
            except SettingError as error:
                _log.warning("everything stays with the versions that it went to: %s", error)
        self._tell(self._file.with_name(SEEN_FILE))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._look_every_s)
            self.look()

    def _follow(self, traffic: Traffic) -> None:
        if traffic == self._traffic:
            return
        told = {"expert": traffic.expert, "zero_shot": traffic.zero_shot}
        self.routes = {model: told[model] or default for model, default in _DEFAULTS.items()}
        self._traffic = traffic
        self._cards.clear()
        self.trials.forget()
        for model, route in self.routes.items():
            canary = f", {route.share:.0%} to {route.canary.path}" if route.canary else ""
            _log.warning("packets of %s go to %s%s", model, route.main.path, canary)
        self._on_change()

    def _tell(self, path: Path) -> None:
        """Write down the mark, what is still under way to versions that get nothing new, and who was set aside."""
        current = {target.path for route in self.routes.values() for target in (route.main, route.canary) if target}
        busy = {target: packets for target, packets in self.busy.items() if packets and target not in current}
        seen = Seen(self.mark, busy, tuple(sorted(self.trials.set_aside)))
        if seen == self._told or (self._told is None and not self.mark):
            return
        try:
            seen.write(path)
        except OSError as error:
            if not self._is_mute:
                _log.warning("%s cannot be written (%s): no model can be changed", path.name, error.strerror)
            self._is_mute = True
        else:
            self._told, self._is_mute = seen, False


def _signature(path: Path) -> object:
    """Return what is another for another file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
