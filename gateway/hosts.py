"""All TorchServe hosts together: which of them is asked, and who is asked instead.

Owns the choice: the host with the fewest requests of that model under way, of those that are well. Packets may be
asked twice, for a picture is the same fish each time: one that did not get through is asked once elsewhere. What is
lost again is for ``gateway.gathering`` to ask about later. Why so: docs/decisions/hosts.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import count

from gateway.backend import Backend, ConnectionBroken, Unavailable
from gateway.host import Host
from gateway.host_standing import StandingRule
from gateway.host_watch import HostWatch, WatchRule
from gateway.repeating import again_and_again
from gateway.resolving import Directory

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HostsRule:
    """How hosts are judged and looked after; names are looked up every ``resolve_s`` seconds."""

    resolve_s: float = 10.0
    standing: StandingRule = field(default_factory=StandingRule)
    watch: WatchRule = field(default_factory=WatchRule)


DEFAULT_RULE = HostsRule()


class Hosts:
    """Asks as one ``Backend`` does, and spreads what it asks. To be used inside one running event loop.

    ``connect`` returns the backend of a host's URL.
    """

    def __init__(self, directory: Directory, connect: Callable[[str], Backend], rule: HostsRule = DEFAULT_RULE) -> None:
        self._directory = directory
        self._connect = connect
        self._rule = rule
        self._hosts: dict[str, Host] = {}
        self._turns = count()
        self._turn_of: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._take_over(directory.hosts())
        self._only = self._the_only_one()

    @property
    def all(self) -> Collection[Host]:
        """All hosts, those included that are out or leaving."""
        return self._hosts.values()

    async def start(self) -> None:
        """Look up the names, and begin to look after the hosts; none of them need be there yet."""
        if self._only is not None:
            return
        if self._directory.has_names:
            self._take_over(await self._directory.look())
            looking = again_and_again(self._resolve, every_s=self._rule.resolve_s, what="looking up the hosts' names")
            self._tasks.append(asyncio.create_task(looking))
        watch = HostWatch(lambda: self._hosts.values(), self._rule.watch, may_be_spared=self._may_be_spared)
        self._tasks.append(asyncio.create_task(watch.watch()))

    async def close(self) -> None:
        """Look after nobody any more, and close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._closing, return_exceptions=True)
        for host in self._hosts.values():
            await host.give_up()

    def spread(self, model: str) -> int:
        """Return over how many hosts the model's work is spread now; 1 where there is none."""
        if self._only is not None:
            return 1
        now_s = time.monotonic()
        return max(1, sum(_is_well(host, model, now_s) for host in self._hosts.values()))

    async def post(self, model: str, body: bytes) -> bytes:
        """Return a host's reply to a packet; raises as ``Backend.post`` does.

        It raises Unavailable only if two hosts, or all that there are, could not be had.
        """
        if self._only is not None:
            return await self._only.ask_straight(model, body)
        first = self._chosen(model)
        if first is None:
            raise Unavailable(f"{model} cannot be reached: of its {self._count(model)} hosts none takes anything")
        try:
            return await first.ask(model, body)
        except (Unavailable, ConnectionBroken):
            second = self._chosen(model, but_not=first)
            if second is None:
                raise
        return await second.ask(model, body)

    def _chosen(self, model: str, *, but_not: Host | None = None) -> Host | None:
        """Return the host to ask: none may be there."""
        now_s = time.monotonic()
        others = [host for host in self._hosts.values() if host is not but_not and _takes_part(host, model)]
        there = [host for host in others if _is_there(host, model, now_s)]
        # If all fail, the cause may be what they are sent; and better one that fails than nobody.
        best = [host for host in there if _may_be_asked(host, model, now_s)] or there or _out(others, model, now_s)
        if not best:
            return None
        chosen = min(best, key=lambda host: self._burden(host, model, now_s))
        self._turn_of[chosen.url] = next(self._turns)
        return chosen

    def _burden(self, host: Host, model: str, now_s: float) -> tuple[int, int, int]:
        """Return what is compared: a failure counts as one request more, so that failing quickly attracts nothing."""
        own = host.outstanding[model] + host.standings[model].penalty(now_s)
        return own, host.busy, self._turn_of.get(host.url, -1)

    def _may_be_spared(self, host: Host) -> bool:
        """Tell whether another host that can be reached has each of its models."""
        others = [one for one in self._hosts.values() if one is not host and one.is_reachable]
        return all(any(_takes_part(one, model) for one in others) for model in host.models)

    def _count(self, model: str) -> int:
        return sum(model in host.models for host in self._hosts.values())

    def _the_only_one(self) -> Host | None:
        """Return the host if there never will be another: its packets take the straight way."""
        is_alone = len(self._hosts) == 1 and not self._directory.has_names
        return next(iter(self._hosts.values())) if is_alone else None

    async def _resolve(self) -> None:
        self._take_over(await self._directory.look())

    def _take_over(self, found: dict[str, frozenset[str]]) -> None:
        """Take in who is new, and let go who is in the directory no longer."""
        for url, models in found.items():
            known = self._hosts.get(url)
            if known is None:
                self._hosts[url] = Host(url, models, self._connect(url), self._rule.standing)
                _log.info("%s takes part", self._hosts[url].name)
            else:
                known.models, known.is_leaving = models, False
        for url in self._hosts.keys() - found.keys():
            self._let_go(self._hosts[url])

    def _let_go(self, host: Host) -> None:
        """Send nothing there any more; it is forgotten once it has finished what it has, at the next look-up."""
        host.is_leaving = True
        if host.busy:
            return
        _log.info("%s takes part no longer", host.name)
        del self._hosts[host.url]
        self._turn_of.pop(host.url, None)
        task = asyncio.get_running_loop().create_task(host.give_up())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _takes_part(host: Host, model: str) -> bool:
    """Tell whether a host is to be asked about a model, if it can be."""
    return not host.is_leaving and model in host.models


def _is_there(host: Host, model: str, now_s: float) -> bool:
    """Tell whether a host may be asked about a model."""
    return host.is_reachable and _takes_part(host, model) and not host.standings[model].is_away(now_s)


def _out(hosts: Sequence[Host], model: str, now_s: float) -> list[Host]:
    """Return those that could not be reached the last time: worth another attempt where there is nobody else."""
    return [host for host in hosts if not host.is_reachable and not host.standings[model].is_away(now_s)]


def _may_be_asked(host: Host, model: str, now_s: float) -> bool:
    """Tell whether a host that is there did not fail too often, or may be tried again."""
    standing = host.standings[model]
    return not standing.is_resting(now_s) and not (standing.is_on_trial and host.outstanding[model])


def _is_well(host: Host, model: str, now_s: float) -> bool:
    """Tell whether a host takes its full part."""
    return _is_there(host, model, now_s) and not host.standings[model].is_resting(now_s)
