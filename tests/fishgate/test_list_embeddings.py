"""The embeddings of a list are used only if weights, prompts, list and numbers are the right ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fishgate.errors import ListError
from fishgate.list_embeddings import (
    TEMPLATES_SHA256,
    embeddings_file,
    read_embeddings,
    read_record,
    record_file,
    write_embeddings,
)
from fishgate.model_card import ModelCard
from fishgate.species_list import SpeciesList, read_list
from fishgate.text_embeddings import TEMPLATES
from tests.lists import LAKE, write_lake, write_lake_for
from tests.toys import card

CARD = card("zero_shot", weights={"file": "weights.safetensors", "sha256": "ab" * 32})


@pytest.fixture
def species(tmp_path: Path) -> SpeciesList:
    return read_list(write_lake_for(tmp_path, CARD))


def test_embeddings_come_back_mapped_and_in_half_precision(tmp_path: Path, species: SpeciesList) -> None:
    embeddings = read_embeddings(tmp_path, species, CARD)
    assert isinstance(embeddings, np.memmap)
    assert embeddings.dtype == np.float16
    np.testing.assert_array_equal(embeddings, np.eye(3, 32))


def test_the_files_lie_beside_the_list_and_bear_the_models_hash(tmp_path: Path, species: SpeciesList) -> None:
    assert {path.name for path in tmp_path.iterdir()} == {
        "lake.csv",
        "lake.abababababab.embeddings.npy",
        "lake.abababababab.embeddings.json",
    }


def test_the_origin_of_published_embeddings_is_kept(tmp_path: Path, species: SpeciesList) -> None:
    write_embeddings(tmp_path, species, CARD, np.eye(3, 32, dtype=np.float16), origin={"repository": "a/b"})
    assert read_record(tmp_path, "lake", CARD).origin == {"repository": "a/b"}


def test_the_templates_are_those_of_the_fingerprint() -> None:
    texts = "\n".join(template("{}") for template in TEMPLATES)
    assert hashlib.sha256(texts.encode()).hexdigest() == TEMPLATES_SHA256


def test_a_change_of_the_list_is_noticed(tmp_path: Path, species: SpeciesList) -> None:
    changed = read_list(write_lake(tmp_path, text=LAKE.replace("Pike", "Jack")))
    with pytest.raises(ListError, match="the embeddings of 'lake' are of another list; run scripts/serve anew"):
        read_embeddings(tmp_path, changed, CARD)


OTHER_MODELS: dict[str, tuple[ModelCard, str]] = {
    "other weights": (
        card("zero_shot", weights={"file": "weights.safetensors", "sha256": "cd" * 32}),
        "the list 'lake' has no embeddings for these weights; run scripts/serve anew",
    ),
    "same beginning of the hash": (
        card("zero_shot", weights={"file": "weights.safetensors", "sha256": "ab" * 31 + "cd"}),
        "the embeddings of 'lake' are of other weights; run scripts/serve anew",
    ),
    "other prompts": (
        card("zero_shot", weights=CARD.weights.model_dump(), prompts={"text_type": "com"}),
        "the embeddings of 'lake' are of other prompts",
    ),
}


@pytest.mark.parametrize(("other", "message"), OTHER_MODELS.values(), ids=OTHER_MODELS)
def test_embeddings_of_another_model_are_refused(
    tmp_path: Path, species: SpeciesList, other: ModelCard, message: str
) -> None:
    with pytest.raises(ListError, match=message):
        read_embeddings(tmp_path, species, other)


def test_changed_numbers_are_refused(tmp_path: Path, species: SpeciesList) -> None:
    np.save(embeddings_file(tmp_path, "lake", CARD), np.zeros((3, 32), dtype=np.float16))
    with pytest.raises(ListError, match="the embeddings of 'lake' are of other numbers"):
        read_embeddings(tmp_path, species, CARD)


def test_a_missing_array_is_refused(tmp_path: Path, species: SpeciesList) -> None:
    embeddings_file(tmp_path, "lake", CARD).unlink()
    with pytest.raises(ListError, match="the embeddings of 'lake' are of other numbers"):
        read_embeddings(tmp_path, species, CARD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "unknown key 'colour'; remove it and run scripts/serve anew"),
        ({"list_sha256": "x"}, "list_sha256: .*; remove it and run scripts/serve anew"),
    ],
    ids=["unknown key", "no hash"],
)
def test_a_wrong_record_is_refused(tmp_path: Path, species: SpeciesList, change: dict[str, Any], message: str) -> None:
    path = record_file(tmp_path, "lake", CARD)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ListError, match=message):
        read_embeddings(tmp_path, species, CARD)


@pytest.mark.parametrize("shape", [(2, 32), (3, 31)], ids=["other length", "other width"])
def test_an_array_of_another_shape_is_refused(tmp_path: Path, species: SpeciesList, shape: tuple[int, int]) -> None:
    write_embeddings(tmp_path, species, CARD, np.zeros(shape, dtype=np.float16))
    with pytest.raises(ListError, match=r"float16 of shape \(\d, \d+\), float16 of shape \(3, 32\) is wanted"):
        read_embeddings(tmp_path, species, CARD)


def test_a_file_that_is_no_array_is_refused(tmp_path: Path, species: SpeciesList) -> None:
    path = embeddings_file(tmp_path, "lake", CARD)
    path.write_bytes(b"no array")
    record = record_file(tmp_path, "lake", CARD)
    value = json.loads(record.read_text()) | {"embeddings_sha256": hashlib.sha256(b"no array").hexdigest()}
    record.write_text(json.dumps(value))
    with pytest.raises(ListError, match="is no array of numpy"):
        read_embeddings(tmp_path, species, CARD)
