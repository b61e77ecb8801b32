"""The engine over several hosts: nothing is lost, whatever happens to one of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fishgate.errors import InternalError
from fishgate.options import Options
from gateway.hosts import HostsRule
from gateway.identifier import EngineSettings, Identifier
from gateway.suspicion import SuspicionRule
from gateway.window import WindowRule
from tests.gateway.engine_parts import BRIGHT, DARK, DEADLY, ENOUGH_S, QUICK, RecordingObserver, in_s, until
from tests.gateway.test_hosts import RULE
from tests.gateway.torchserve_stand_in import StandIn, running


@pytest.fixture
def servers() -> Iterator[list[StandIn]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running()) for _ in range(3)]


@asynccontextmanager
async def identifier_for(
    *servers: StandIn, observer: RecordingObserver | None = None, **settings: Any
) -> AsyncIterator[Identifier]:
    urls = ",".join(server.url for server in servers)
    quick = {
        "expert": QUICK,
        "zero_shot": QUICK,
        "cache_bytes": 0,
        "hosts": replace(RULE, standing=HostsRule().standing),
    }
    identifier = Identifier(EngineSettings(urls, **{**quick, **settings}), observer)
    await identifier.start()
    try:
        yield identifier
    finally:
        await identifier.close()


async def ask(identifier: Identifier, picture: bytes) -> str:
    answer = await identifier.identify(picture, Options(), deadline_s=in_s(ENOUGH_S), request_id="one")
    return "degraded" if answer.degraded else answer.source.value


async def load(identifier: Identifier, number: int) -> Counter[str]:
    """Ask about so many pictures at once, every third of them a dark one."""
    return Counter(await asyncio.gather(*(ask(identifier, BRIGHT if n % 3 else DARK) for n in range(number))))


HALF = {"expert": 200, "zero_shot": 100}


def test_nothing_is_lost_when_a_host_is_killed_under_load(servers: list[StandIn]) -> None:
    async def story() -> None:
        async with identifier_for(*servers) as identifier:
            loading = asyncio.create_task(load(identifier, 300))
            await until(lambda: len(servers[0].expert.packets) >= 2)
            await asyncio.to_thread(servers[0].vanish)
            assert await loading == HALF

    asyncio.run(story())


def test_nothing_is_lost_when_a_host_falls_silent_and_another_comes_back(servers: list[StandIn]) -> None:
    async def story() -> None:
        await asyncio.to_thread(servers[1].vanish)
        async with identifier_for(*servers) as identifier:
            loading = asyncio.create_task(load(identifier, 300))
            await until(lambda: len(servers[0].expert.packets) >= 2)
            servers[0].is_mute = True
            await asyncio.to_thread(servers[1].listen)
            assert await loading == HALF

    asyncio.run(story())


def test_a_host_whose_workers_always_end_loses_nothing(servers: list[StandIn]) -> None:
    servers[0].expert.fail_next = servers[0].zero_shot.fail_next = 10**6

    async def story() -> None:
        async with identifier_for(*servers) as identifier:
            for _ in range(5):
                assert await load(identifier, 60) == {"expert": 40, "zero_shot": 20}

    asyncio.run(story())


def test_each_host_gets_a_window_of_its_own(servers: list[StandIn]) -> None:
    observer = RecordingObserver()
    limits = replace(QUICK, pass_pictures=1, window=WindowRule(least=2, most=2))

    async def story() -> None:
        for server in servers:
            server.expert.pictures_at_once = 1
            server.expert.hold.clear()
        async with identifier_for(*servers, observer=observer, expert=limits) as identifier:
            loading = asyncio.create_task(load(identifier, 12))
            await until(lambda: [len(server.expert.packets) for server in servers] == [2, 2, 2])
            for server in servers:
                server.expert.hold.set()
            await loading

    asyncio.run(story())
    assert observer.most_in_flight["expert"] == 6


def test_a_host_that_waits_for_a_slow_model_does_not_hold_up_the_others(servers: list[StandIn]) -> None:
    async def story() -> None:
        servers[0].expert.hold.clear()
        async with identifier_for(*servers) as identifier:
            stuck = asyncio.create_task(load(identifier, 300))
            await until(lambda: servers[1].expert.singles == 0 and sum(servers[1].expert.sizes) > 40)
            assert sum(servers[0].expert.sizes) < 200
            servers[0].expert.hold.set()
            assert await stuck == HALF

    asyncio.run(story())


def test_a_picture_that_kills_its_workers_puts_no_host_out(servers: list[StandIn]) -> None:
    async def story() -> None:
        limits = replace(QUICK, suspicion=SuspicionRule(pause_s=0.001))
        async with identifier_for(*servers, expert=limits) as identifier:
            poison = asyncio.create_task(ask(identifier, DEADLY))
            assert await load(identifier, 30) == {"expert": 20, "zero_shot": 10}
            with pytest.raises(InternalError, match="3 times a worker ended"):
                await poison
            assert {host.is_reachable for host in identifier.hosts.all} == {True}
            assert identifier.hosts.spread("expert") == 3

    asyncio.run(story())


def test_zero_shot_may_have_hosts_of_its_own(servers: list[StandIn]) -> None:
    async def story() -> None:
        url = ",".join(server.url for server in servers[1:])
        async with identifier_for(servers[0], zero_shot_url=url) as identifier:
            assert await load(identifier, 30) == {"expert": 20, "zero_shot": 10}
            assert (identifier.hosts.spread("expert"), identifier.hosts.spread("zero_shot")) == (1, 2)
            assert (await identifier.catalogue()).zero_shot is not None

    asyncio.run(story())
    assert [bool(one.expert.packets) for one in servers] == [True, False, False]
    assert servers[0].zero_shot.packets == []


def test_each_host_has_a_token_of_its_own(tmp_path: Path) -> None:
    with running(token="first") as one, running(token="second") as other:
        for server in (one, other):
            server.write_key_file(tmp_path / f"{server.port}.json")

        async def story() -> None:
            async with identifier_for(one, other, key_file=tmp_path / "{port}.json") as identifier:
                assert await load(identifier, 30) == {"expert": 20, "zero_shot": 10}
                assert {host.outcomes["unavailable"] for host in identifier.hosts.all} == {0}

        asyncio.run(story())
