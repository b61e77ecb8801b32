"""The fish among published text embeddings become a species list of the pack, or nothing changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fishgate.device import Device
from fishgate.list_embeddings import read_embeddings
from fishgate.model_card import Kind, read_card
from fishgate.species_list import Row, SpeciesList, read_list, write_list
from fishgate.text_embeddings import name_of
from packs.embeddings import embedded, encoder_of
from packs.errors import ForeignTexts, HubError
from packs.hub import Hub
from packs.sources import TREE_OF_LIFE
from packs.tree_of_life import fetch_fish
from tests.packs.conftest import contents
from tests.packs.hub_stand_in import FIRST_COMMIT, SECOND_COMMIT, HubStandIn
from tests.packs.test_embeddings import pack as pack  # the tiny zero-shot pack
from tests.packs.test_fetch_models import run
from tests.packs.test_zero_shot_pack import publish_tiny

REPOSITORY = f"datasets/{TREE_OF_LIFE.repository}"
ANIMAL = ("Animalia", "Chordata")

NAMES: list[tuple[list[str], str]] = [
    ([*ANIMAL, "Actinopterygii", "Esociformes", "Esocidae", "Esox", "lucius"], "Northern pike"),
    ([*ANIMAL, "", "Perciformes", "Percidae", "Perca", "fluviatilis"], "European perch"),
    ([*ANIMAL, "", "Testudines", "Cheloniidae", "Chelonia", "mydas"], "Green turtle"),
    ([*ANIMAL, "", "", "Gobiidae", "Gobius", "niger"], ""),
    ([*ANIMAL, "Mammalia", "Carnivora", "Ursidae", "Ursus", "arctos"], "Kodiak bear"),
    ([*ANIMAL, "", "Esociformes", "Esocidae", "Esox", "lucius"], ""),
    ([*ANIMAL, "Elasmobranchii", "Lamniformes", "Lamnidae", "Carcharodon", "carcharias"], "Great white shark"),
    (["Plantae", "Tracheophyta", "Liliopsida", "Poales", "Poaceae", "Poa", "annua"], "Meadow grass"),
    ([*ANIMAL, "", "Centrarchiformes", "Centrarchidae", "Micropterus", "salmoides"], "Bass"),
    ([*ANIMAL, "", "Acanthuriformes", "Moronidae", "Dicentrarchus", "labrax"], "Bass"),
    ([*ANIMAL, "Myxini", "Myxiniformes", "Myxinidae", "Myxine", "glutinosa"], "Atlantic hagfish"),
    ([*ANIMAL, "Actinopterygii", "Salmoniformes", "Salmonidae", "Salmo", ""], "Trouts"),
    ([*ANIMAL, "Actinopterygii", "Gadiformes", "Gadidae", "Gadus", "morhua"], "Atlantic cod"),
    ([*ANIMAL, "Actinopterygii", "Anguilliformes", "Anguillidae", "Anguilla", "anguilla"], "European eel"),
]
EMPTY = 13  # at the end of what is published some embeddings are all zeros
FISH = [0, 1, 3, 6, 8, 9, 10, 12]
LABELS = [
    "Northern pike",
    "European perch",
    "Gobius niger",
    "Great white shark",
    "Bass (Micropterus salmoides)",
    "Bass (Dicentrarchus labrax)",
    "Atlantic hagfish",
    "Atlantic cod",
]
FORMS: dict[str, Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]] = {
    "names as columns": lambda matrix: np.ascontiguousarray(matrix.T),
    "names as rows": lambda matrix: matrix,
    "names as columns, columns first": lambda matrix: matrix.T,
    "half precision": lambda matrix: np.ascontiguousarray(matrix.T.astype(np.float16)),
}


def embeddings_of_names(pack: Path) -> np.ndarray[Any, Any]:
    """Return the embeddings of all names by the pack's own text network, shape (names, D)."""
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    rows = [Row(common, " ".join(ranks[5:]).strip(), "", *ranks[:5]) for ranks, common in NAMES]
    taxa = SpeciesList("all", rows, "").prompt_taxa
    names = [name_of(taxon, card.prompts.text_type) for taxon in taxa]
    result = embedded(names, encoder_of(card, pack, Device("cpu")), what="test").numpy().copy()
    result[EMPTY] = 0.0
    return result


@pytest.fixture
def matrix(pack: Path) -> np.ndarray[Any, Any]:
    return embeddings_of_names(pack)


class Published:
    """The data set on the stand-in hub."""

    def __init__(self, server: HubStandIn, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def publish(self, matrix: np.ndarray[Any, Any], names: str | None = None, commit: str = FIRST_COMMIT) -> None:
        folder = self.folder / commit
        folder.mkdir(exist_ok=True)
        (folder / "names.json").write_text(names or json.dumps(NAMES))
        np.save(folder / "embeddings.npy", matrix)
        files = {TREE_OF_LIFE.names: folder / "names.json", TREE_OF_LIFE.embeddings: folder / "embeddings.npy"}
        self.server.publish_as(REPOSITORY, commit, files)


@pytest.fixture
def published(server: HubStandIn, tmp_path: Path) -> Published:
    return Published(server, tmp_path)


@pytest.fixture
def hub(server: HubStandIn, tmp_path: Path) -> Hub:
    return Hub(server.url, cache=tmp_path / "cache", tries_again=0)


def fetch(hub: Hub, pack: Path) -> tuple[bool, list[str]]:
    said: list[str] = []
    return fetch_fish(TREE_OF_LIFE, hub, pack, say=said.append), said


def lists_in(pack: Path) -> Path:
    return pack / "species_lists"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_fish_and_nothing_else_becomes_the_list(
    pack: Path,
    hub: Hub,
    published: Published,
    matrix: np.ndarray[Any, Any],
    form: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
) -> None:
    published.publish(form(matrix))
    changed, said = fetch(hub, pack)
    assert changed
    species = read_list(lists_in(pack) / "tree_of_life_fish.csv")
    assert [taxon.label for taxon in species] == LABELS
    stored = read_embeddings(lists_in(pack), species, read_card(pack, kind=Kind.ZERO_SHOT))
    np.testing.assert_allclose(stored, matrix[FISH], atol=2e-3)
    assert f"9 fish among {len(NAMES)} names" in said[0]
    assert said[-1] == "tree_of_life_fish: 8 species are in place"


def test_what_is_there_already_is_left_alone(
    pack: Path, hub: Hub, published: Published, matrix: np.ndarray[Any, Any]
) -> None:
    published.publish(matrix.T)
    fetch(hub, pack)
    before = contents(lists_in(pack))
    asked = len(published.server.downloads())
    assert fetch(hub, pack) == (False, ["tree_of_life_fish: is there already, unchanged"])
    assert contents(lists_in(pack)) == before
    assert len(published.server.downloads()) == asked


def test_newly_published_embeddings_replace_the_old(
    pack: Path, hub: Hub, published: Published, matrix: np.ndarray[Any, Any]
) -> None:
    published.publish(matrix.T)
    fetch(hub, pack)
    published.publish(matrix[1:].T, json.dumps(NAMES[1:]), SECOND_COMMIT)
    assert fetch(hub, pack)[0]
    assert [taxon.label for taxon in read_list(lists_in(pack) / "tree_of_life_fish.csv")][:2] == [
        "European perch",
        "Gobius niger",
    ]


def test_other_weights_are_a_reason_to_fetch_again(
    pack: Path, hub: Hub, published: Published, matrix: np.ndarray[Any, Any]
) -> None:
    published.publish(matrix.T)
    fetch(hub, pack)
    for path in lists_in(pack).glob("*.json"):
        path.unlink()
    assert fetch(hub, pack)[0]


def broken_off(published: Published, matrix: np.ndarray[Any, Any]) -> None:
    published.publish(matrix.T, commit=SECOND_COMMIT)
    published.server.break_off_after = 200


def shuffled(published: Published, matrix: np.ndarray[Any, Any]) -> None:
    published.publish(np.roll(matrix, 1, axis=0).T, commit=SECOND_COMMIT)


def of_other_length(published: Published, matrix: np.ndarray[Any, Any]) -> None:
    published.publish(matrix[:-1].T, commit=SECOND_COMMIT)


def broken_names(published: Published, matrix: np.ndarray[Any, Any]) -> None:
    published.publish(matrix.T, json.dumps(NAMES)[:-9], commit=SECOND_COMMIT)


def wrong_hash(published: Published, matrix: np.ndarray[Any, Any]) -> None:
    published.publish(matrix.T, commit=SECOND_COMMIT)
    published.server.lie_about_hashes = True


def gone(published: Published, matrix: np.ndarray[Any, Any]) -> None:
    published.server.publish_as(REPOSITORY, SECOND_COMMIT, {})


TROUBLES = {
    "broken off": (broken_off, HubError, "cannot be reached|the download of"),
    "in another order": (shuffled, ForeignTexts, r"finds \d of 8 species again by the published embeddings"),
    "another length": (of_other_length, ForeignTexts, "which does not fit 14 names"),
    "broken names": (broken_names, ForeignTexts, "is no JSON or is cut off"),
    "another hash": (wrong_hash, HubError, "arrived with SHA-256"),
    "not published any more": (gone, HubError, r"has no embeddings/txt_emb_species\.json"),
}


@pytest.mark.parametrize(("trouble", "error", "message"), TROUBLES.values(), ids=TROUBLES)
def test_trouble_leaves_the_old_list_as_it_was(
    pack: Path,
    hub: Hub,
    published: Published,
    matrix: np.ndarray[Any, Any],
    trouble: Callable[[Published, np.ndarray[Any, Any]], None],
    error: type[Exception],
    message: str,
) -> None:
    published.publish(matrix.T)
    fetch(hub, pack)
    for path in lists_in(pack).glob("*.json"):  # so that what is published is looked at again
        path.write_text(path.read_text().replace('"repository"', '"source"'))
    before = contents(lists_in(pack))
    trouble(published, matrix)
    with pytest.raises(error, match=message):
        fetch(hub, pack)
    assert contents(lists_in(pack)) == before


def test_a_list_of_an_operator_is_not_touched(
    pack: Path, hub: Hub, published: Published, matrix: np.ndarray[Any, Any]
) -> None:
    lists_in(pack).mkdir()
    write_list(lists_in(pack) / "lake.csv", [Row("Pike")])
    before = contents(lists_in(pack))
    published.publish(matrix.T)
    fetch(hub, pack)
    assert before.items() <= contents(lists_in(pack)).items()


def test_the_command_brings_the_list_with_the_model_unless_told_not_to(server: HubStandIn, tmp_path: Path) -> None:
    publish_tiny(server, tmp_path)
    arguments = ("--only", "zero_shot", "--no-embeddings", "--output", str(tmp_path / "models"))
    without = run(*arguments, "--no-tree-of-life", home=tmp_path, endpoint=server.url)
    assert without.returncode == 0, without.stderr
    pack = tmp_path / "models" / "zero_shot" / "hub"
    assert not lists_in(pack).exists()

    Published(server, tmp_path).publish(embeddings_of_names(pack).T)
    done = run(*arguments, home=tmp_path, endpoint=server.url)
    assert done.returncode == 0, done.stderr
    assert "tree_of_life_fish: 8 species are in place" in done.stdout
    assert len(read_list(lists_in(pack) / "tree_of_life_fish.csv")) == 8
