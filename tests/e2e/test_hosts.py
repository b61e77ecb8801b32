"""A gateway before several hosts on cables of their own: one killed, one cut off, one slowed, one added; none lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from benchmarks.distinct import numbered
from benchmarks.load import send_many
from benchmarks.named_hosts import NamedHosts, named_gateway
from benchmarks.namespaces import PORT, Network, Place, why_not
from benchmarks.outcome import MeasurementError
from benchmarks.pictures import bright_picture, dark_picture
from server.bootstrap import ROOT

HOSTS = 3
CLIENTS = 24


class Hosts:
    """Stand-ins for TorchServe, each in a namespace of its own."""

    def __init__(self) -> None:
        self._network = Network()
        self._processes: dict[Place, subprocess.Popen[bytes]] = {}

    def start(self, place: Place) -> None:
        stand_in = [sys.executable, "-m", "tests.gateway.torchserve_stand_in", f"--host={place.address}"]
        pace = [f"--port={PORT}", "--expert-seconds=0.02", "--zero-shot-seconds=0.02"]
        process = subprocess.Popen(place.command(*stand_in, *pace), cwd=ROOT, stdout=subprocess.PIPE)
        self._processes[place] = process
        assert process.stdout is not None
        assert process.stdout.readline() == f"http://{place.address}:{PORT}\n".encode()
        process.stdout.close()

    def kill(self, place: Place) -> None:
        process = self._processes.pop(place)
        process.kill()
        process.wait()

    def cut(self, place: Place) -> None:
        self._network.cut(place)

    def mend(self, place: Place) -> None:
        self._network.mend(place)

    def slow(self, place: Place) -> None:
        try:
            self._network.slow(place)
        except MeasurementError as error:
            pytest.skip(str(error))

    def quicken(self, place: Place) -> None:
        self._network.quicken(place)

    def add(self) -> Place:
        return self._network.add()

    def end(self) -> None:
        for place in list(self._processes):
            self.kill(place)
        self._network.__exit__(None, None, None)


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    hosts = Hosts()
    try:
        yield hosts
    finally:
        hosts.end()


@pytest.fixture(scope="module")
def places(hosts: Hosts) -> list[Place]:
    """Three hosts that answer."""
    added = [hosts.add() for _ in range(HOSTS)]
    for place in added:
        hosts.start(place)
    return added


@pytest.fixture(scope="module")
def gateway(places: list[Place], tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamedHosts]:
    home = tmp_path_factory.mktemp("gateway")
    with ExitStack() as stack:
        yield stack.enter_context(named_gateway(home, [place.address for place in places]))


class Load:
    """Pictures, no two of them alike, every tenth a dark one."""

    numbers = count()

    def __init__(self, gateway: NamedHosts) -> None:
        self._url = f"{gateway.url}/v1/identify"
        self._bright, self._dark = bright_picture(), dark_picture()

    def none_lost(self, number: int, happening: Callable[[], None] = lambda: None) -> None:
        """Send so many pictures, let it happen when a fourth of them is answered, and see that all are."""
        asyncio.run(self._none_lost(number, happening))

    async def _none_lost(self, number: int, happening: Callable[[], None]) -> None:
        began = asyncio.Event()

        def progress(done: int) -> None:
            if done >= number // 4:
                began.set()

        async def happen() -> None:
            await began.wait()
            await asyncio.to_thread(happening)

        sending = send_many(
            self._url, "", count=number, clients=CLIENTS, picture_for=self._picture, on_progress=progress
        )
        run, _ = await asyncio.gather(sending, happen())
        assert [sample.failure for sample in run.lost] == []
        assert len(run.samples) == number
        assert not any(sample.is_flagged("degraded") for sample in run.samples)

    def _picture(self, _index: int) -> bytes:
        number = next(self.numbers)
        return numbered(self._bright if number % 10 else self._dark, number)


@pytest.fixture(scope="module")
def load(gateway: NamedHosts) -> Load:
    return Load(gateway)


def test_all_hosts_take_part(gateway: NamedHosts, places: list[Place], load: Load) -> None:
    load.none_lost(200)
    assert [gateway.state_of(place.address) for place in places] == ["in"] * HOSTS
    assert all(gateway.answered_by(place.address) > 0 for place in places)


@pytest.mark.parametrize(
    ("number", "harm", "mend"), [(0, Hosts.kill, Hosts.start), (1, Hosts.cut, Hosts.mend)], ids=["killed", "cut off"]
)
def test_a_host_goes_and_is_taken_back(
    gateway: NamedHosts,
    hosts: Hosts,
    places: list[Place],
    load: Load,
    number: int,
    harm: Callable[[Hosts, Place], None],
    mend: Callable[[Hosts, Place], None],
) -> None:
    harmed = places[number]
    load.none_lost(400, lambda: harm(hosts, harmed))
    gateway.wait_for("the host is out", lambda: gateway.state_of(harmed.address) == "out")
    load.none_lost(50, lambda: mend(hosts, harmed))
    gateway.wait_for("it is taken back", lambda: gateway.state_of(harmed.address) == "in")
    answered = gateway.answered_by(harmed.address)
    load.none_lost(100)
    assert gateway.answered_by(harmed.address) > answered


def test_a_host_is_added(gateway: NamedHosts, hosts: Hosts, places: list[Place], load: Load) -> None:
    added = hosts.add()

    def add() -> None:
        hosts.start(added)
        gateway.name([*(place.address for place in places), added.address])
        gateway.wait_for("the added host takes part", lambda: gateway.state_of(added.address) == "in")

    load.none_lost(200, add)
    load.none_lost(100)
    assert gateway.answered_by(added.address) > 0
    gateway.name([place.address for place in places])
    gateway.wait_for("it is forgotten again", lambda: gateway.state_of(added.address) == "")


def test_a_host_is_slowed(gateway: NamedHosts, hosts: Hosts, places: list[Place], load: Load) -> None:
    load.none_lost(300, lambda: hosts.slow(places[2]))
    others = [gateway.answered_by(place.address) for place in places[:2]]
    slowed = gateway.answered_by(places[2].address)
    load.none_lost(300)
    most = max(gateway.answered_by(place.address) - before for place, before in zip(places, others, strict=False))
    assert gateway.answered_by(places[2].address) - slowed < most
    hosts.quicken(places[2])


def test_only_one_host_is_left(gateway: NamedHosts, hosts: Hosts, places: list[Place], load: Load) -> None:
    def all_but_one() -> None:
        hosts.kill(places[0])
        hosts.cut(places[1])

    load.none_lost(400, all_but_one)
    gateway.wait_for("one is out", lambda: gateway.state_of(places[0].address) == "out")
    gateway.wait_for("two are out", lambda: gateway.state_of(places[1].address) == "out")
