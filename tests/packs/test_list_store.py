"""Lists of a pack and of an operator come together for the server, each embedded once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fishgate.errors import ListError
from fishgate.list_embeddings import Embeddings
from fishgate.list_folder import ListFolder
from fishgate.model_card import Kind, ModelCard, read_card
from fishgate.species_list import SpeciesList
from fishgate.zero_shot import read_all_embeddings
from packs.list_store import lay_out, list_sources
from tests.conftest import ROOT
from tests.lists import LAKE, LAKE_LABELS, write_lake
from tests.packs.conftest import contents
from tests.packs.test_embeddings import pack as pack  # the tiny zero-shot pack
from tests.toys import card as toy_card

CARD = toy_card("zero_shot")


class Computing:
    """Embeds each list as unit vectors, and remembers which lists it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, species: SpeciesList) -> Embeddings:
        self.asked.append(species.name)
        return np.eye(len(species), 32, dtype=np.float16)


class Store:
    """A pack's and an operator's folder, and the server's."""

    def __init__(self, folder: Path) -> None:
        self.pack, self.own, self.target = folder / "pack", folder / "own", folder / "run" / "lists"
        write_lake(self.pack, "sea", "label\nCod\nHerring\n")
        write_lake(self.own)
        self.said: list[str] = []

    def lay_out(self, card: ModelCard = CARD) -> list[str]:
        """Lay everything out; return for which lists embeddings were computed."""
        computing = Computing()
        sources = list_sources([self.pack, self.own])
        lay_out(sources, self.target, card, compute=computing, say=self.said.append)
        return computing.asked

    def served(self, card: ModelCard = CARD) -> dict[str, int]:
        """Return what a worker would load."""
        return {name: len(texts) for name, texts in read_all_embeddings(ListFolder(self.target), card).items()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_all_lists_are_embedded_and_laid_out(store: Store) -> None:
    assert store.lay_out() == ["sea", "lake"]
    assert store.served() == {"lake": 3, "sea": 2}
    assert store.said[1] == "species list lake: computing the text embeddings of 3 names, once"


def test_embeddings_lie_beside_their_list_and_are_not_computed_again(store: Store, tmp_path: Path) -> None:
    store.lay_out()
    assert [path.name for path in sorted(store.own.iterdir())] == [
        "lake.000000000000.embeddings.json",
        "lake.000000000000.embeddings.npy",
        "lake.csv",
    ]
    before = contents(tmp_path)
    assert store.lay_out() == []
    assert contents(tmp_path) == before


def test_a_new_server_folder_takes_the_stored_ones(store: Store, tmp_path: Path) -> None:
    store.lay_out()
    store.target = tmp_path / "other"
    assert store.lay_out() == []
    assert store.served() == {"lake": 3, "sea": 2}


def test_a_changed_list_is_embedded_anew(store: Store) -> None:
    store.lay_out()
    write_lake(store.own, text=LAKE + "Eel,Anguilla anguilla,species,,\n")
    assert store.lay_out() == ["lake"]
    assert store.served() == {"lake": 4, "sea": 2}


def test_another_model_has_embeddings_of_its_own_beside_the_first(store: Store) -> None:
    other = toy_card("zero_shot", weights={"file": "weights.safetensors", "sha256": "f" * 64})
    store.lay_out()
    assert store.lay_out(other) == ["sea", "lake"]
    assert store.served(other) == {"lake": 3, "sea": 2}
    assert store.lay_out() == []
    assert store.served() == {"lake": 3, "sea": 2}


def test_a_list_that_was_taken_away_is_not_served(store: Store) -> None:
    store.lay_out()
    (store.own / "lake.csv").unlink()
    store.lay_out()
    assert {path.name.split(".")[0] for path in store.target.iterdir()} == {"sea"}


def test_a_folder_that_cannot_be_written_costs_only_the_keeping(store: Store) -> None:
    (store.own / ".partial").write_text("in the way of what is prepared here")
    assert store.lay_out() == ["sea", "lake"]
    assert "cannot be written" in store.said[-1]
    assert store.served() == {"lake": 3, "sea": 2}
    assert store.lay_out() == [], "the server's folder keeps them"


def test_two_lists_of_one_name_are_refused(store: Store) -> None:
    write_lake(store.own, "sea")
    with pytest.raises(ListError, match=r"there are two species lists 'sea', in .*pack and .*own; rename one"):
        store.lay_out()


def test_a_wrong_list_is_found_before_anything_is_computed(store: Store) -> None:
    write_lake(store.own, "z", "colour\nblue\n")
    computing = Computing()
    with pytest.raises(ListError, match=r"z\.csv has an unknown column 'colour'"):
        lay_out(list_sources([store.pack, store.own]), store.target, CARD, compute=computing, say=store.said.append)
    assert computing.asked == []


def run(pack: Path, own: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "packs.prepare_lists", "--pack", pack, "--lists", own, "--target", target]
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=240)


def test_the_command_embeds_with_the_packs_own_model(pack: Path, tmp_path: Path) -> None:
    write_lake(pack / "species_lists")
    done = run(pack, tmp_path / "none", tmp_path / "target")
    assert done.returncode == 0, done.stderr
    assert "computing the text embeddings of 3 names" in done.stderr
    lists, card = ListFolder(tmp_path / "target"), read_card(pack, kind=Kind.ZERO_SHOT)
    assert [taxon.label for taxon in next(iter(lists))] == LAKE_LABELS
    lengths = np.linalg.norm(read_all_embeddings(lists, card)["lake"].astype(np.float32), axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-3)


def test_the_command_refuses_in_one_line(pack: Path, tmp_path: Path) -> None:
    write_lake(tmp_path / "own", text="colour\nblue\n")
    done = run(pack, tmp_path / "own", tmp_path / "target")
    assert done.returncode == 1
    assert done.stderr.startswith("fishgate: lake.csv has an unknown column 'colour'; allowed: label,")
    assert len(done.stderr.splitlines()) == 1
