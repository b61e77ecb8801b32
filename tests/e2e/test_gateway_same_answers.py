"""The gateway gives the same answers as the workflow, for the same pictures, from the same server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image, ImageDraw

from fishgate.errors import FishgateError
from fishgate.options import options_from_fields
from fishgate.wire import error_reply
from gateway.identifier import EngineSettings, Identifier
from server.archives import build
from server.bootstrap import ROOT
from server.configuration import Settings, free_ports
from server.instance import start, stop, wait_until_ready
from server.lists import prepare_lists
from server.management import TorchServe
from tests.conftest import encoded
from tests.e2e.conftest import SAMPLE

OPTIONS: dict[str, dict[str, str]] = {
    "none": {},
    "top_k": {"top_k": "2"},
    "all accepted": {"threshold": "0"},
    "all deferred": {"threshold": "1", "top_k": "3"},
    "labels": {"labels": json.dumps(["Gold Fish", "Northern pike", "Arapaima"])},
    "strange labels": {"labels": json.dumps(["Northern pike", "Arapaima"])},
    "a list": {"species_list": "north_european_freshwater"},
    "an unknown list": {"species_list": "the_moon"},
}


def drawn(number: int) -> Image.Image:
    """A fish of few strokes, each in other colours and of another size."""
    size = (160 + 40 * (number % 4), 120 + 20 * (number % 3))
    picture = Image.new("RGB", size, ("skyblue", "seagreen", "white", "black")[number % 4])
    draw = ImageDraw.Draw(picture)
    colour = ("orange", "silver", "crimson", "gold", "grey")[number % 5]
    draw.ellipse((20, 30 + number, size[0] - 60, size[1] - 30), fill=colour)
    draw.polygon([(size[0] - 70, size[1] // 2), (size[0] - 20, 30), (size[0] - 20, size[1] - 30)], fill=colour)
    return picture


PICTURES: dict[str, bytes] = {
    **{path.stem: path.read_bytes() for path in sorted((ROOT / "samples").glob("*.jpg"))},
    **{f"drawn {number}": encoded(drawn(number), ("PNG", "JPEG", "WEBP")[number % 3]) for number in range(9)},
    "grey": encoded(drawn(1).convert("L"), "PNG"),
    "turned": encoded(
        drawn(2), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    ),
    "nothing": b"",
    "text": b"Dear sir, please find my fish enclosed.",
    "damaged": SAMPLE[: len(SAMPLE) // 2],
    "a damaged header": SAMPLE[:30],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    """The demo pack with its species list."""
    home = tmp_path_factory.mktemp("same")
    settings = Settings(home=home, store=home / "store", ports=free_ports(), own_lists=home / "own")
    build(settings.store, pack="demo", device="cpu", say=lambda text: None)
    prepare_lists(settings, lambda text: None)
    java = start(settings)
    try:
        wait_until_ready(settings, java, SAMPLE, limit_s=240, say=lambda text: None)
        yield TorchServe(settings)
    finally:
        stop(settings)


async def by_gateway(server: TorchServe, cases: list[tuple[bytes, dict[str, str]]]) -> list[dict[str, Any]]:
    """What the gateway's engine says of all cases, asked at the same time."""
    settings = server.settings
    identifier = Identifier(
        EngineSettings(settings.url, key_file=settings.key_file, species_lists=settings.lists, zero_shot_limit_s=100.0)
    )

    async def one(picture: bytes, fields: dict[str, str]) -> dict[str, Any]:
        try:
            options, deadline_s = options_from_fields(fields), time.monotonic() + 120
            answer = await identifier.identify(picture, options, deadline_s=deadline_s, request_id="same")
            return answer.model_dump(mode="json")
        except FishgateError as error:
            return error_reply(error).model_dump(mode="json")

    await identifier.start()
    try:
        return list(await asyncio.gather(*(one(*case) for case in cases)))
    finally:
        await identifier.close()


def without_small_digits(value: Any) -> Any:
    """Batches of other sizes may differ in the last digits of a float."""
    if isinstance(value, dict):
        return {name: without_small_digits(one) for name, one in value.items()}
    if isinstance(value, list):
        return [without_small_digits(one) for one in value]
    return pytest.approx(value, abs=2e-4) if isinstance(value, float) else value


@pytest.mark.parametrize("name", OPTIONS)
def test_gateway_and_workflow_say_the_same(server: TorchServe, name: str) -> None:
    fields = OPTIONS[name]
    by_workflow = [server.identify(picture, fields) for picture in PICTURES.values()]
    found = asyncio.run(by_gateway(server, [(picture, fields) for picture in PICTURES.values()]))
    for picture, theirs, ours in zip(PICTURES, by_workflow, found, strict=True):
        assert ours == without_small_digits(theirs), picture


def test_the_cards_are_those_of_the_pack(server: TorchServe) -> None:
    async def story() -> None:
        identifier = Identifier(EngineSettings(server.settings.url, key_file=server.settings.key_file))
        try:
            catalogue = await identifier.catalogue()
            await identifier.probe()
        finally:
            await identifier.close()
        assert catalogue.zero_shot is not None
        for kind, card in (("expert", catalogue.expert), ("zero_shot", catalogue.zero_shot)):
            shipped = json.loads((ROOT / "models" / kind / "demo" / "model_card.json").read_text())
            assert (card.version, len(card.taxa)) == (shipped["version"], len(shipped["labels"]))
        assert catalogue.species_lists == ("north_european_freshwater",)

    asyncio.run(story())
