"""``GET /v1/models`` and ``GET /v1/species``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fishgate.errors import Overloaded
from fishgate.model_card import ModelCard
from gateway.catalogue import Catalogue
from tests.gateway.conftest import OpenDoor
from tests.gateway.fake_engine import CATALOGUE
from tests.gateway.http_door import Door


def test_models_are_told_by_their_whole_cards(door: Door) -> None:
    told = door.get("/v1/models").json()
    assert ModelCard.model_validate(told["expert"]) == CATALOGUE.expert
    assert ModelCard.model_validate(told["zero_shot"]) == CATALOGUE.zero_shot
    assert told["species_lists"] == ["lakes"]
    assert told["expert"]["gate"]["threshold"] == 0.5


def test_a_zero_shot_that_cannot_be_had_is_null(opened: OpenDoor) -> None:
    door = opened()
    door.engine.told = Catalogue(CATALOGUE.expert, None, ())
    assert door.get("/v1/models").json()["zero_shot"] is None
    assert {one["models"][0] for one in door.get("/v1/species").json()["species"]} == {"expert"}


def test_each_species_stands_once_with_the_models_that_name_it(door: Door) -> None:
    species = {one["label"]: one for one in door.get("/v1/species").json()["species"]}
    assert species["Tilapia"] == {
        "label": "Tilapia",
        "scientific_name": "Oreochromis niloticus",
        "rank": "species",
        "models": ["expert", "zero_shot"],
    }
    assert species["Gold Fish"]["models"] == ["expert"]
    assert species["Pike"]["models"] == ["zero_shot"]
    assert len(species) == 5


def test_what_is_told_follows_the_models_that_run(opened: OpenDoor) -> None:
    door = opened()
    assert len(door.get("/v1/species").json()["species"]) == 5
    door.engine.told = Catalogue(CATALOGUE.expert, None, ())
    assert len(door.get("/v1/species").json()["species"]) == 3


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "lakes.csv").write_text("label,scientific_name\nPike,Esox lucius\nNile tilapia,Oreochromis niloticus\n")
    return folder


def test_the_species_of_a_list_are_told(opened: OpenDoor, lists: Path) -> None:
    told = opened(species_lists=lists).get("/v1/species?list=lakes").json()["species"]
    assert [(one["label"], one["models"]) for one in told] == [
        ("Pike", ["zero_shot"]),
        ("Nile tilapia", ["expert", "zero_shot"]),
    ]


WRONG = {
    "unknown list": ("/v1/species?list=seas", "unknown species_list 'seas'; allowed: lakes"),
    "no name of a list": ("/v1/species?list=../x", "must be the name of a list"),
    "empty": ("/v1/species?list=", "must name a list"),
    "unknown parameter": ("/v1/species?lists=lakes", "unknown parameter 'lists'; allowed: list"),
    "twice": ("/v1/species?list=lakes&list=lakes", "given twice"),
    "no parameter is known": ("/v1/models?x=1", "unknown parameter 'x'; there are none here"),
}


@pytest.mark.parametrize(("path", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(opened: OpenDoor, lists: Path, path: str, message: str) -> None:
    reply = opened(species_lists=lists).get(path)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_option")
    assert message in reply.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/species"])
def test_models_that_cannot_be_asked_are_a_503(opened: OpenDoor, path: str) -> None:
    door = opened()
    door.engine.fail = Overloaded("expert cannot be reached")
    reply = door.get(path)
    assert (reply.status_code, "retry-after" in reply.headers) == (503, True)
