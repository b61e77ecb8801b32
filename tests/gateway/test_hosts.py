"""Several hosts do the work of one: each its part, and what one of them loses another finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from fishgate.errors import FishgateError, ImageTooLarge
from fishgate.packet import read_replies, write_packet
from gateway.backend import Backend, Unavailable, WorkerLost
from gateway.host import Host, State
from gateway.host_figures import HostFigures
from gateway.host_standing import StandingRule
from gateway.host_watch import WatchRule
from gateway.hosts import Hosts, HostsRule
from gateway.pause import PauseRule
from gateway.resolving import Directory, read_addresses
from tests.gateway.engine_parts import ENOUGH_S, packed, until
from tests.gateway.torchserve_stand_in import DIED, NO_WORKER, StandIn, running

ONE = write_packet([packed()])
RULE = HostsRule(
    resolve_s=0.01,
    standing=StandingRule(failures=2, rest=PauseRule(ENOUGH_S, ENOUGH_S), away=PauseRule(ENOUGH_S, ENOUGH_S)),
    watch=WatchRule(every_s=0.01, silent_s=0.05, limit_s=0.2),
)
"""Hosts are looked after quickly, and whoever rests does so for the whole test."""


@pytest.fixture
def servers() -> Iterator[list[StandIn]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running()) for _ in range(3)]


@asynccontextmanager
async def hosts_of(servers: Sequence[StandIn], rule: HostsRule = RULE) -> AsyncIterator[Hosts]:
    addresses = read_addresses(",".join(server.url for server in servers))
    async with started(Directory({"expert": addresses, "zero_shot": addresses}), rule) as hosts:
        yield hosts


@asynccontextmanager
async def started(directory: Directory, rule: HostsRule = RULE) -> AsyncIterator[Hosts]:
    hosts = Hosts(directory, Backend, rule)
    await hosts.start()
    try:
        yield hosts
    finally:
        await hosts.close()


def host_of(hosts: Hosts, server: StandIn) -> Host:
    return next(host for host in hosts.all if host.url == server.url)


def sent_to(servers: Sequence[StandIn]) -> list[int]:
    """How many packets came to the expert of each."""
    return [len(server.expert.packets) for server in servers]


def run(story: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(story(), ENOUGH_S))


def begin(hosts: Hosts, number: int, model: str = "expert") -> list[asyncio.Task[bytes]]:
    return [asyncio.create_task(hosts.post(model, ONE)) for _ in range(number)]


def is_reply(body: bytes) -> bool:
    return len(read_replies(body, pictures=1)) == 1


def test_the_work_is_spread_evenly(servers: list[StandIn]) -> None:
    async def story() -> None:
        async with hosts_of(servers) as hosts:
            assert hosts.spread("expert") == 3
            assert all(map(is_reply, await asyncio.gather(*begin(hosts, 6))))
            for _ in range(3):  # one after the other, too
                await hosts.post("expert", ONE)

    run(story)
    assert sent_to(servers) == [3, 3, 3]


def test_the_host_with_the_fewest_under_way_is_asked(servers: list[StandIn]) -> None:
    async def story() -> None:
        servers[0].expert.hold.clear()
        async with hosts_of(servers) as hosts:
            tasks = begin(hosts, 3)
            await until(lambda: sum(task.done() for task in tasks) == 2)
            assert host_of(hosts, servers[0]).busy == 1
            for _ in range(8):
                await hosts.post("expert", ONE)
            servers[0].expert.hold.set()
            await asyncio.gather(*tasks)

    run(story)
    assert sent_to(servers) == [1, 5, 5]


def test_what_a_killed_host_had_is_answered_elsewhere_and_it_is_taken_back(servers: list[StandIn]) -> None:
    killed, *others = servers

    async def story() -> None:
        killed.expert.hold.clear()
        async with hosts_of(servers) as hosts:
            host = host_of(hosts, killed)
            tasks = begin(hosts, 6)
            await until(lambda: len(killed.expert.packets) == 2)
            await asyncio.to_thread(killed.vanish)
            assert all(map(is_reply, await asyncio.gather(*tasks)))
            await until(lambda: host.state is State.OUT)
            assert hosts.spread("expert") == 2
            killed.expert.hold.set()
            await asyncio.to_thread(killed.listen)
            await until(lambda: host.state is State.IN)
            assert hosts.spread("expert") == 3
            await asyncio.gather(*begin(hosts, 3))

    run(story)
    assert sent_to(others) == [4, 4]
    assert len(killed.expert.packets) == 3


def test_what_a_silent_host_had_is_answered_elsewhere_and_it_is_taken_back(servers: list[StandIn]) -> None:
    async def story() -> None:
        async with hosts_of(servers) as hosts:
            host = host_of(hosts, servers[0])
            await asyncio.gather(*begin(hosts, 3))
            servers[0].is_mute = True
            assert all(map(is_reply, await asyncio.gather(*begin(hosts, 6))))
            assert (host.state, host.outcomes["lost"]) == (State.OUT, 2)
            servers[0].is_mute = False
            await until(lambda: host.state is State.IN)

    run(story)


def test_a_model_that_takes_its_time_keeps_its_packet(servers: list[StandIn]) -> None:
    async def story() -> None:
        async with hosts_of(servers, replace(RULE, watch=WatchRule(every_s=0.001, silent_s=0.001))) as hosts:
            for server in servers:
                server.expert.hold.clear()
            tasks = begin(hosts, 3)
            await until(lambda: sent_to(servers) == [1, 1, 1])
            asked = [server.pings for server in servers]
            await until(lambda: all(server.pings > before + 3 for server, before in zip(servers, asked, strict=True)))
            for server in servers:
                server.expert.hold.set()
            assert all(map(is_reply, await asyncio.gather(*tasks)))

    run(story)
    assert sent_to(servers) == [1, 1, 1]


def test_a_model_that_is_away_at_one_host_is_asked_at_another(servers: list[StandIn]) -> None:
    servers[0].expert.is_away = True

    async def story() -> None:
        async with hosts_of(servers) as hosts:
            assert all(map(is_reply, await asyncio.gather(*begin(hosts, 6))))
            assert (hosts.spread("expert"), hosts.spread("zero_shot")) == (2, 3)
            assert host_of(hosts, servers[0]).state is State.RESTING
            await asyncio.gather(*begin(hosts, 3, "zero_shot"))

    run(story)
    assert [len(server.zero_shot.packets) for server in servers] == [1, 1, 1]  # it is well there
    assert sent_to(servers)[0] == 0


def test_a_packet_is_asked_elsewhere_only_once(servers: list[StandIn]) -> None:
    for server in servers:
        server.expert.fail_next, server.expert.failure = 1, dict(NO_WORKER)

    async def story() -> None:
        async with hosts_of(servers) as hosts:
            with pytest.raises(Unavailable, match="too much to do"):
                await hosts.post("expert", ONE)
            assert sorted(sent_to(servers)) == [0, 1, 1]
            with pytest.raises(Unavailable, match="too much to do"):
                await hosts.post("expert", ONE)
            assert sent_to(servers) == [1, 1, 1]  # the last host had nobody beside it
            with pytest.raises(Unavailable, match="of its 3 hosts none takes anything"):
                await hosts.post("expert", ONE)

    run(story)
    assert sent_to(servers) == [1, 1, 1]


@pytest.mark.parametrize("error", [WorkerLost, ImageTooLarge], ids=["a worker's end", "a refusal"])
def test_what_may_be_the_packets_own_fault_is_not_asked_elsewhere(
    servers: list[StandIn], error: type[FishgateError]
) -> None:
    for server in servers:
        server.expert.fail_next = 1
        server.expert.failure = dict(DIED) if error is WorkerLost else {"code": 413, "type": "?", "message": "?"}

    async def story() -> None:
        async with hosts_of(servers) as hosts:
            with pytest.raises(error):
                await hosts.post("expert", ONE)

    run(story)
    assert sorted(sent_to(servers)) == [0, 0, 1]


def test_a_host_that_fails_again_and_again_rests(servers: list[StandIn]) -> None:
    servers[0].expert.fail_next = 10**6

    async def story() -> None:
        async with hosts_of(servers) as hosts:
            await asyncio.gather(*begin(hosts, 60), return_exceptions=True)
            assert (host_of(hosts, servers[0]).state, hosts.spread("expert")) == (State.RESTING, 2)
            assert all(map(is_reply, await asyncio.gather(*begin(hosts, 20))))

    run(story)


def test_after_its_rest_one_packet_tries_a_failing_host(servers: list[StandIn]) -> None:
    servers[0].expert.fail_next = 2
    quick = StandingRule(failures=2, rest=PauseRule(0.05, 0.05), fresh_s=0.0)

    async def story() -> None:
        async with hosts_of(servers, replace(RULE, standing=quick)) as hosts:
            host, before = host_of(hosts, servers[0]), 0
            await until_resting(hosts, host)
            await until(lambda: hosts.spread("expert") == 3)
            servers[0].expert.hold.clear()
            before = len(servers[0].expert.packets)
            tasks = begin(hosts, 6)
            await until(lambda: sum(one.busy for one in hosts.all) == 1)
            assert len(servers[0].expert.packets) == before + 1
            servers[0].expert.hold.set()
            await asyncio.gather(*tasks)
            await asyncio.gather(*begin(hosts, 3))
            assert len(servers[0].expert.packets) == before + 2  # it takes its full part again

    run(story)


async def until_resting(hosts: Hosts, host: Host) -> None:
    """Ask until the host has failed too often."""
    while host.state is not State.RESTING:
        await asyncio.gather(*begin(hosts, 3), return_exceptions=True)


def test_if_all_fail_all_are_asked_on(servers: list[StandIn]) -> None:
    for server in servers:
        server.expert.fail_next = 4

    async def story() -> None:
        async with hosts_of(servers) as hosts:
            for _ in range(12):
                with pytest.raises(WorkerLost):
                    await hosts.post("expert", ONE)
            assert is_reply(await hosts.post("expert", ONE))

    run(story)


def test_while_no_host_is_there_it_is_unavailable_at_once(servers: list[StandIn]) -> None:
    async def story() -> None:
        for server in servers:
            await asyncio.to_thread(server.vanish)
        async with hosts_of(servers) as hosts:
            for _ in range(3):
                with pytest.raises(Unavailable, match="expert cannot be reached"):
                    await hosts.post("expert", ONE)
            assert {host.state for host in hosts.all} == {State.OUT}
            await asyncio.to_thread(servers[2].listen)
            await until(lambda: host_of(hosts, servers[2]).state is State.IN)
            assert is_reply(await hosts.post("expert", ONE))

    run(story)


def test_the_last_host_is_not_given_up_however_silent_it_is(servers: list[StandIn]) -> None:
    async def story() -> None:
        for server in servers[1:]:
            await asyncio.to_thread(server.vanish)
        async with hosts_of(servers) as hosts:
            last = host_of(hosts, servers[0])
            servers[0].is_mute = True
            tasks = begin(hosts, 3)
            await until(lambda: [host.state for host in hosts.all].count(State.OUT) == 2 and last.misses > 3)
            assert last.state is State.IN
            servers[0].is_mute = False
            assert all(map(is_reply, await asyncio.gather(*tasks)))

    run(story)


def test_whoever_hangs_up_leaves_the_host(servers: list[StandIn]) -> None:
    async def story() -> None:
        servers[0].expert.hold.clear()
        async with hosts_of(servers) as hosts:
            tasks = begin(hosts, 1)
            await until(lambda: len(servers[0].expert.packets) == 1)
            tasks[0].cancel()
            assert isinstance((await asyncio.gather(*tasks, return_exceptions=True))[0], asyncio.CancelledError)
            assert (host_of(hosts, servers[0]).busy, host_of(hosts, servers[0]).outcomes) == (0, {"cancelled": 1})
            assert host_of(hosts, servers[0]).state is State.IN

    run(story)
    assert sent_to(servers) == [1, 0, 0]


def test_an_only_host_is_asked_straight(servers: list[StandIn]) -> None:
    async def story() -> None:
        async with hosts_of(servers[:1]) as hosts:
            host = host_of(hosts, servers[0])
            servers[0].expert.fail_next = 9
            results = await asyncio.gather(*begin(hosts, 9), return_exceptions=True)
            assert {type(one) for one in results} == {WorkerLost}
            assert is_reply(await hosts.post("expert", ONE))  # nobody makes it rest
            await asyncio.to_thread(servers[0].vanish)
            with pytest.raises(Unavailable, match=r"expert cannot be reached \(ClientConnectorError\)"):
                await hosts.post("expert", ONE)
            assert host.state is State.OUT
            await asyncio.to_thread(servers[0].listen)
            assert is_reply(await hosts.post("expert", ONE))  # nobody has to look first
            assert host.state is State.IN
            assert host.outcomes == {"failed": 9, "ok": 2, "unreachable": 1}

    run(story)


@dataclass
class Name:
    """A name whose addresses a test changes."""

    port: int
    addresses: list[str] = field(default_factory=list)

    async def look_up(self, _name: str, _port: int) -> list[str]:
        return list(self.addresses)

    def directory(self) -> Directory:
        return Directory({"expert": read_addresses(f"dns+http://fish:{self.port}")}, lookup=self.look_up)


def test_hosts_come_and_go_with_their_name() -> None:
    with running() as one, running(host="127.0.0.2", port=one.port) as other:
        name = Name(one.port)

        async def story() -> None:
            async with started(name.directory()) as hosts:
                with pytest.raises(Unavailable, match="of its 0 hosts none"):
                    await hosts.post("expert", ONE)
                name.addresses = [one.host]
                await until(lambda: len(hosts.all) == 1)
                await asyncio.gather(*begin(hosts, 2))
                name.addresses = [one.host, other.host]
                await until(lambda: len(hosts.all) == 2)
                one.expert.hold.clear()
                tasks = begin(hosts, 2)
                await until(lambda: sent_to([one, other]) == [3, 1])
                name.addresses = [other.host]
                await until(lambda: host_of(hosts, one).state is State.LEAVING)
                await asyncio.gather(*begin(hosts, 2))
                assert sent_to([one, other]) == [3, 3]
                one.expert.hold.set()
                assert all(map(is_reply, await asyncio.gather(*tasks)))  # it finished what it had
                await until(lambda: len(hosts.all) == 1)

        run(story)


def test_a_host_that_comes_back_behind_its_name_stays() -> None:
    with running() as server:
        name = Name(server.port, [server.host])

        async def story() -> None:
            async with started(name.directory()) as hosts:
                server.expert.hold.clear()
                tasks = begin(hosts, 1)
                await until(lambda: len(server.expert.packets) == 1)
                name.addresses = []
                await until(lambda: host_of(hosts, server).state is State.LEAVING)
                name.addresses = [server.host]
                await until(lambda: host_of(hosts, server).state is State.IN)
                server.expert.hold.set()
                await asyncio.gather(*tasks)

        run(story)


def test_the_figures_tell_of_each_host(servers: list[StandIn]) -> None:
    registry = CollectorRegistry()

    async def story() -> str:
        async with hosts_of(servers[:2]) as hosts:
            registry.register(HostFigures(hosts))
            servers[0].expert.hold.clear()
            tasks = begin(hosts, 3)
            await until(lambda: len(servers[0].expert.packets) >= 1 and host_of(hosts, servers[1]).busy == 0)
            shown = generate_latest(registry).decode()
            servers[0].expert.hold.set()
            await asyncio.gather(*tasks)
            return shown

    shown = asyncio.run(story())
    first, second = (f"127.0.0.1:{server.port}" for server in servers[:2])
    assert f'fishgate_gateway_host_outstanding{{host="{first}"}} ' in shown
    assert f'fishgate_gateway_host_outstanding{{host="{second}"}} 0.0' in shown
    assert f'fishgate_gateway_host_state{{host="{first}",state="in"}} 1.0' in shown
    assert f'fishgate_gateway_host_state{{host="{first}",state="out"}} 0.0' in shown
    assert f'fishgate_gateway_host_requests_total{{host="{second}",outcome="ok"}} ' in shown
