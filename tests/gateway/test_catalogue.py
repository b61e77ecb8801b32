"""The models' cards are asked from the workers, kept, and asked again when they change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from fishgate.answer import ModelVersions
from fishgate.errors import FishgateError
from fishgate.packet import Description
from gateway import catalogue
from gateway.backend import Backend
from gateway.catalogue import CatalogueKeeper
from tests.gateway.engine_parts import until
from tests.gateway.torchserve_stand_in import StandIn, running


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running(species_lists=["lake"]) as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_SOON_S", 0.01)


Told = list[tuple[str, Description]]


@asynccontextmanager
async def keeper_for(server: StandIn, *, every_s: float = 3600.0) -> AsyncIterator[tuple[CatalogueKeeper, Told]]:
    told: Told = []
    backend = Backend(server.url)
    keeper = CatalogueKeeper(
        backend, every_s=every_s, on_described=lambda model, described: told.append((model, described))
    )
    yield keeper, told
    await keeper.close()
    await backend.close()


def test_the_cards_are_asked_for_once(server: StandIn) -> None:
    async def story() -> None:
        async with keeper_for(server) as (keeper, told):
            first, second = await asyncio.gather(keeper.get(), keeper.get())
            assert first is second
            assert first.zero_shot is not None
            assert (first.expert.name, first.zero_shot.name) == ("toy-expert", "toy-zero_shot")
            assert first.species_lists == ("lake",)
            assert sorted(model for model, _ in told) == ["expert", "zero_shot"]

    asyncio.run(story())
    assert (server.expert.descriptions, server.zero_shot.descriptions) == (1, 1)


def test_without_the_expert_there_is_no_catalogue(server: StandIn) -> None:
    server.expert.is_away = True

    async def story() -> None:
        async with keeper_for(server) as (keeper, _):
            with pytest.raises(FishgateError, match="expert is not there"):
                await keeper.get()
            server.expert.is_away = False
            assert (await keeper.get()).expert.version == "1"

    asyncio.run(story())


def test_zero_shot_may_be_missing_and_is_asked_again(server: StandIn) -> None:
    server.zero_shot.is_away = True

    async def story() -> None:
        async with keeper_for(server) as (keeper, told):
            assert (await keeper.get()).zero_shot is None
            keeper.start()
            server.zero_shot.is_away = False
            await until(lambda: "zero_shot" in dict(told))
            assert (await keeper.get()).zero_shot is not None

    asyncio.run(story())


SEEN = {
    "the same": (ModelVersions(expert="1", zero_shot="1"), True),
    "the expert's alone": (ModelVersions(expert="1", zero_shot=None), True),
    "another expert": (ModelVersions(expert="2", zero_shot="1"), False),
    "another zero-shot": (ModelVersions(expert="1", zero_shot="2"), False),
}


@pytest.mark.parametrize(("versions", "is_known"), SEEN.values(), ids=SEEN)
def test_the_catalogue_knows_its_versions(server: StandIn, versions: ModelVersions, is_known: bool) -> None:
    async def story() -> None:
        async with keeper_for(server) as (keeper, _):
            assert (await keeper.get()).has(versions) == is_known

    asyncio.run(story())


def test_an_answer_of_another_version_has_the_cards_asked_again(server: StandIn) -> None:
    async def story() -> None:
        async with keeper_for(server) as (keeper, told):
            keeper.start()
            await until(lambda: len(told) == 2)
            server.expert.version = "2"
            keeper.saw(ModelVersions(expert="2", zero_shot=None))
            await until(lambda: len(told) == 4)
            assert (await keeper.get()).expert.version == "2"

    asyncio.run(story())


def test_the_cards_are_asked_for_now_and_then(server: StandIn) -> None:
    async def story() -> None:
        async with keeper_for(server, every_s=0.01) as (keeper, told):
            keeper.start()
            await until(lambda: len(told) >= 6)

    asyncio.run(story())


def test_what_is_known_stays_while_the_server_is_away(server: StandIn) -> None:
    async def story() -> None:
        async with keeper_for(server, every_s=0.01) as (keeper, told):
            await keeper.get()
            await asyncio.to_thread(server.vanish)
            keeper.start()
            await asyncio.sleep(0.05)
            assert (await keeper.get()).expert.version == "1"
            before = len(told)
            await asyncio.to_thread(server.listen)
            await until(lambda: len(told) > before)

    asyncio.run(story())
