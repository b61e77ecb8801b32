"""The asynchronous twin does what the other one does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fishgate_client import (
    AsyncFishgate,
    DamagedImage,
    Fishgate,
    Refused,
    Result,
    Retries,
    TimedOut,
    Unauthorised,
    Unreachable,
)

from tests.client.ports import closed_port
from tests.client.stand_in import KEY, StandIn
from tests.client.troubles import cut, refusing

QUICK = Retries(attempts=3, first_wait_s=0.01, longest_wait_s=0.02)


def run(server: StandIn, ask: Any, **settings: Any) -> Any:
    """Let ``ask`` talk to the server with a client of its own."""

    async def asked() -> Any:
        async with AsyncFishgate(server.url, **{"retries": QUICK, **settings}) as fishgate:
            return await ask(fishgate)

    return asyncio.run(asked())


@pytest.mark.parametrize("torchserve", [False, True], ids=["gateway", "torchserve"])
def test_the_twins_answer_alike(server: StandIn, torchserve: bool) -> None:
    options: dict[str, Any] = {"labels": ["Carp", "Hecht"], "top_k": 2}
    twin = run(server, lambda fishgate: fishgate.identify(b"a fish", **options), torchserve=torchserve)
    with Fishgate(server.url, torchserve=torchserve) as fishgate:
        assert fishgate.identify(b"a fish", **options) == twin
    first, second = server.requests
    assert first["form"] == second["form"]


def test_models_species_and_ping(server: StandIn) -> None:
    async def ask(fishgate: AsyncFishgate) -> tuple[str, int]:
        await fishgate.ping()
        return (await fishgate.models()).expert.version, len(await fishgate.species("north"))

    assert run(server, ask) == ("toy-1", 1)


def test_what_passes_is_asked_again(server: StandIn) -> None:
    server.troubles.extend([refusing(503, "overloaded", **{"Retry-After": "0"}), cut()])
    assert run(server, lambda fishgate: fishgate.identify(b"a fish")).label == "Carp"


ERRORS: dict[str, tuple[dict[str, Any], bytes, type[Exception]]] = {
    "damaged": ({"key": KEY}, b"#damaged", DamagedImage),
    "no key": ({}, b"a fish", Unauthorised),
    "not in time": ({"key": KEY, "timeout_s": 0.1}, b"a fish", TimedOut),
}


@pytest.mark.parametrize(("settings", "picture", "kind"), ERRORS.values(), ids=ERRORS)
def test_errors_are_the_same_classes(
    server: StandIn, settings: dict[str, Any], picture: bytes, kind: type[Exception]
) -> None:
    server.key = KEY
    server.hold_after = 0 if kind is TimedOut else None
    with pytest.raises(kind):
        run(server, lambda fishgate: fishgate.identify(picture), **settings)


def test_nobody_there() -> None:
    with pytest.raises(Unreachable):
        run(StandIn(url=f"http://127.0.0.1:{closed_port()}"), lambda fishgate: fishgate.models())


def test_torchserve_does_not_tell_its_models(server: StandIn) -> None:
    with pytest.raises(Refused, match="ask the gateway"):
        run(server, lambda fishgate: fishgate.models(), torchserve=True)


@pytest.mark.parametrize("in_order", [True, False])
def test_many_come_back_each_once(server: StandIn, in_order: bool) -> None:
    pictures = [f"picture {number}".encode() for number in range(60)] + [b"#damaged"]
    server.troubles.append(refusing(503, "overloaded"))

    async def ask(fishgate: AsyncFishgate) -> list[Result[bytes]]:
        return [result async for result in fishgate.identify_many(pictures, in_order=in_order, at_once=12)]

    results = run(server, ask)
    given = [result.picture for result in results]
    assert given == pictures if in_order else sorted(given) == sorted(pictures)
    assert [result.picture for result in results if result.error] == [b"#damaged"]
    assert server.most_at_once <= 12


def test_breaking_off_leaves_nothing_running(server: StandIn) -> None:
    async def ask(fishgate: AsyncFishgate) -> int:
        results = fishgate.identify_many([b"a", b"b", b"c", b"d"], at_once=2)
        async for _ in results:
            break
        await results.aclose()
        return len(asyncio.all_tasks())

    assert run(server, ask) == 1
