"""Looking after hosts: one that fell silent is given up, one that cannot be reached is tried until it can.

Owns when a host is asked whether it is there, and what follows. A model may take its time over a packet, so silence
alone gives up nobody: the host's door must not answer either.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from gateway.host import Host
from gateway.repeating import again_and_again


@dataclass(frozen=True)
class WatchRule:
    """``every_s``: how often hosts are looked at. ``silent_s``: how long a host may owe replies before it is asked.
    ``limit_s``: how long it may take to say that it is there. ``misses``: how often it may fail to before it is out.
    """

    every_s: float = 0.25
    silent_s: float = 1.0
    limit_s: float = 1.0
    misses: int = 2


class HostWatch:
    """Watches over ``hosts()``, which may be others each time.

    ``may_be_spared`` tells whether others do what a host does. The last one is not given up: on a busy machine it
    may only be slow to say that it is there, and nobody else could take what it has.
    """

    def __init__(
        self, hosts: Callable[[], Collection[Host]], rule: WatchRule, *, may_be_spared: Callable[[Host], bool]
    ) -> None:
        self._hosts = hosts
        self._may_be_spared = may_be_spared
        self._rule = rule

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        await again_and_again(self._look_at_all, every_s=self._rule.every_s, what="looking after the hosts")

    async def _look_at_all(self) -> None:
        now_s = time.monotonic()
        looks = [self._look(host) for host in self._hosts() if self._has_reason(host, now_s)]
        for outcome in await asyncio.gather(*looks, return_exceptions=True):
            if isinstance(outcome, Exception):  # of one host: the others were looked at all the same
                raise outcome

    def _has_reason(self, host: Host, now_s: float) -> bool:
        is_silent = host.busy > 0 and now_s - host.silent_since_s > self._rule.silent_s
        return is_silent or host.is_doubtful or host.misses > 0 or not host.is_reachable

    async def _look(self, host: Host) -> None:
        if await host.is_there(self._rule.limit_s):
            host.came_back()
            return
        host.misses += 1
        if host.misses >= self._rule.misses and self._may_be_spared(host):
            host.went_out()
            await host.give_up()
