"""Species lists through a real server: the demo pack's own, and one of an operator."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from server.archives import build
from server.bootstrap import ROOT
from server.configuration import Settings, free_ports
from server.instance import start, stop, wait_until_ready
from server.lists import prepare_lists
from server.management import TorchServe
from tests.e2e.conftest import SAMPLE

EXPERT_CARD = ROOT / "models" / "expert" / "demo" / "model_card.json"
STRANGE = {"Northern pike": "Esox lucius", "Burbot": "Lota lota"}  # species that the expert does not know
SHIPPED = ROOT / "models" / "zero_shot" / "demo" / "species_lists" / "north_european_freshwater.csv"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    """The demo pack with its own list and two of an operator: what the expert knows, and what it does not."""
    home = tmp_path_factory.mktemp("lists")
    (home / "own").mkdir()
    known = json.loads(EXPERT_CARD.read_text())["labels"].values()
    write_own_list(home / "own" / "catch.csv", {taxon["label"]: taxon.get("scientific_name", "") for taxon in known})
    write_own_list(home / "own" / "lake.csv", STRANGE)
    settings = Settings(home=home, store=home / "store", ports=free_ports(), own_lists=home / "own")
    build(settings.store, pack="demo", device="cpu", say=lambda text: None)
    assert prepare_lists(settings, lambda text: None)
    java = start(settings)
    try:
        wait_until_ready(settings, java, SAMPLE, limit_s=240, say=lambda text: None)
        yield TorchServe(settings)
    finally:
        stop(settings)


def write_own_list(path: Path, names: dict[str, str]) -> None:
    lines = ["label,scientific_name", *(f"{label},{scientific}" for label, scientific in names.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_packs_list_gives_the_candidates(server: TorchServe) -> None:
    with SHIPPED.open(encoding="utf-8") as file:
        labels = {row["label"] for row in csv.DictReader(file)}
    answer = server.identify(SAMPLE, {"species_list": "north_european_freshwater", "threshold": "1", "top_k": "50"})
    assert answer["source"] == "zero_shot"
    assert {candidate["label"] for candidate in answer["candidates"]} == labels


def test_an_expert_that_is_on_the_list_answers_itself(server: TorchServe) -> None:
    answer = server.identify(SAMPLE, {"species_list": "catch", "threshold": "0"})
    assert (answer["source"], answer["deferred"], answer["label"]) == ("expert", False, answer["expert"]["label"])


def test_an_expert_that_is_not_on_the_list_defers(server: TorchServe) -> None:
    answer = server.identify(SAMPLE, {"species_list": "lake", "threshold": "0"})
    assert (answer["source"], answer["deferred"], answer["degraded"]) == ("zero_shot", True, False)
    assert {candidate["label"]: candidate["scientific_name"] for candidate in answer["candidates"]} == STRANGE


def test_an_unknown_list_is_an_error_that_names_the_known(server: TorchServe) -> None:
    error = server.identify(SAMPLE, {"species_list": "sea"})["error"]
    assert (error["status"], error["code"]) == (400, "invalid_option")
    assert error["message"] == "unknown species_list 'sea'; allowed: catch, lake, north_european_freshwater"


@pytest.mark.parametrize("model", ["fish__expert", "zero_shot"])
def test_a_single_model_refuses_it_with_the_true_status(server: TorchServe, model: str) -> None:
    reply = requests.post(
        f"{server.settings.url}/predictions/{model}",
        headers={"Authorization": f"Bearer {server.token('inference')}"},
        files={"data": SAMPLE},
        data={"species_list": "sea"},
        timeout=60,
    )
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_option")
