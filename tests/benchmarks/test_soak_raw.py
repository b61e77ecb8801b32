"""Clients that behave badly, against the real HTTP door: what they are told, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.pictures import bright_picture
from benchmarks.soak_raw import HANG_UPS, post_slowly, stop_halfway
from benchmarks.soak_traffic import STOPPED_CODE, Kind, Traffic
from benchmarks.soak_verdict import fates
from fishgate.errors import Overloaded
from fishgate.images import quieten_decoders
from tests.gateway.fake_engine import FakeEngine
from tests.gateway.http_door import Door, open_door

PICTURE = bright_picture()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with open_door(tmp_path, body_limit_s=0.3) as running:
        running.do(running.readiness.ready())
        yield running


def port_of(door: Door) -> int:
    return int(door.address[1])


def test_a_slow_client_gets_its_answer(door: Door) -> None:
    assert asyncio.run(post_slowly(port_of(door), PICTURE, seconds=0.05)) is None
    assert [call.picture for call in door.engine.calls] == [PICTURE]


def test_a_client_that_stops_is_told_so(door: Door) -> None:
    assert asyncio.run(stop_halfway(port_of(door), PICTURE)) == STOPPED_CODE
    assert door.engine.calls == []


def test_the_code_of_an_error_is_told(tmp_path: Path) -> None:
    with open_door(tmp_path, engine=FakeEngine(fail=Overloaded("too much to do"))) as running:
        running.do(running.readiness.ready())
        assert asyncio.run(post_slowly(port_of(running), PICTURE, seconds=0.0)) == "overloaded"


@pytest.mark.parametrize("hang_up", HANG_UPS, ids=lambda one: one.__name__)
def test_who_hangs_up_leaves_nothing_behind(door: Door, hang_up: object) -> None:
    asyncio.run(hang_up(port_of(door), PICTURE))  # type: ignore[operator]
    door.until(lambda: door.server.connections.open == 0 and door.entrance.places.bytes_held == 0)


def test_all_kinds_are_sent_and_each_is_answered_as_it_must_be(door: Door) -> None:
    quieten_decoders()  # as the gateway does: one of the bad pictures is a bomb
    traffic = Traffic(
        dict.fromkeys((Kind.BRIGHT, Kind.DARK, Kind.BAD, Kind.STOPPED, Kind.ABORTED), 0.2), port=lambda: port_of(door)
    )
    asyncio.run(traffic.send(per_second=200.0, seconds=0.4, started_s=time.perf_counter()))
    kinds = {one.kind for one in traffic.passages}
    assert kinds == {Kind.BRIGHT, Kind.DARK, Kind.BAD, Kind.STOPPED, Kind.ABORTED}
    found = fates(traffic.passages, [])
    assert (dict(found.lost), dict(found.wrong)) == ({}, {})
    pictures = [call.picture for call in door.engine.calls]
    assert len(set(pictures)) == len(pictures) > 0


def test_without_a_server_the_reason_is_told() -> None:
    traffic = Traffic({Kind.BRIGHT: 0.5, Kind.ABORTED: 0.5}, port=lambda: 1)
    asyncio.run(traffic.send(per_second=200.0, seconds=0.1, started_s=time.perf_counter()))
    assert {one.failure for one in traffic.passages} <= {"ClientConnectorError", "ConnectionRefusedError"}
    assert len(traffic.passages) > 5
