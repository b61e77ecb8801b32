"""A card that is wrong, or does not fit its weights, is refused with what to mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fishgate.errors import CardError, LoadError, WeightsError
from fishgate.model_card import CARD_FILE, Kind, ModelCard, checked_weights, read_card, sha256_of, write_card
from tests.toys import TAXA, WEIGHTS, card, card_json


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in card_json().items() if name != key}


def labelled(*keys: str) -> dict[str, Any]:
    return card_json(labels={key: TAXA[i] for i, key in enumerate(keys)})


WRONG = {
    "labels from 1": (
        labelled("1", "2", "3"),
        "the keys must be exactly 0 … n-1; there are 3 labels, but none for output 0",
    ),
    "a hole": (labelled("0", "1", "3"), "there are 3 labels, but none for output 2"),
    "keys with zeros": (labelled("00", "01"), "none for output 0"),
    "keys in words": (labelled("zero"), "none for output 0"),
    "no labels": (labelled(), "there are 0 labels"),
    "same label twice": (card_json(labels={"0": TAXA[0], "1": TAXA[0]}), "two outputs have the same label 'Tilapia'"),
    "label without text": (card_json(labels={"0": {"label": ""}}), "labels.0.label"),
    "unknown key": (card_json(treshold=0.5), "unknown key 'treshold'"),
    "unknown key inside": (card_json(gate={"threshold": 0.5, "evidence": "", "why": ""}), "unknown key 'gate.why'"),
    "threshold above 1": (card_json(gate={"threshold": 87, "evidence": ""}), "gate.threshold: .* got '87'"),
    "temperature 0": (card_json(temperature=0), "temperature: .*greater than 0"),
    "unknown kind": (card_json(kind="oracle"), "kind: .*'expert' or 'zero_shot'"),
    "unknown rank": (card_json(labels={"0": {"label": "Tilapia", "rank": "tribe"}}), "labels.0.rank"),
    "weights elsewhere": (card_json(weights={"file": "../w.safetensors", "sha256": "0" * 64}), "weights.file"),
    "pickled weights": (card_json(weights={"file": "model.pth", "sha256": "0" * 64}), "weights.file"),
    "half a hash": (card_json(weights={"file": WEIGHTS, "sha256": "abc"}), "weights.sha256"),
    "no licence": (without("licence"), "licence: Field required"),
    "no gate": (without("gate"), "gate: Field required"),
    "no preprocessing": (without("preprocessing"), "preprocessing: Field required"),
    "a list": ([], "the whole record"),
}


def put(folder: Path, value: object) -> Path:
    (folder / CARD_FILE).write_text(json.dumps(value))
    return folder


@pytest.mark.parametrize(("value", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_card_is_refused(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(CardError, match=message) as caught:
        read_card(put(tmp_path, value), kind=Kind.EXPERT)
    assert "mend the card and build the archive again" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "\ufeff{}", "not JSON"], ids=["empty", "cut off", "byte order mark", "text"])
def test_a_card_that_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / CARD_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(CardError, match=f"{CARD_FILE} is wrong: the whole record: Invalid JSON"):
        read_card(tmp_path, kind=Kind.EXPERT)


def test_a_missing_card_is_refused_with_the_command_that_helps(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"there is no model_card\.json .*scripts/build_archives"):
        read_card(tmp_path, kind=Kind.EXPERT)


def test_a_card_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="'toy-expert' is of kind 'expert', this worker needs 'zero_shot'"):
        read_card(put(tmp_path, card_json()), kind=Kind.ZERO_SHOT)


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_a_card_survives_writing_and_reading(tmp_path: Path, kind: Kind) -> None:
    written = card(kind.value, training={"epochs": 3, "note": "größer"}, metrics={"top_1": 0.5, "by_rank": [1, 2]})
    write_card(written, tmp_path)
    assert read_card(tmp_path, kind=kind) == written


def test_labels_come_in_the_order_of_the_outputs_not_of_the_file() -> None:
    labels = {str(i): {"label": f"fish {i}"} for i in (10, 2, 0, 1, 9, 8, 7, 6, 5, 4, 3)}
    assert [taxon.label for taxon in card(labels=labels).taxa] == [f"fish {i}" for i in range(11)]


def test_weights_that_fit_the_card_are_found(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    assert checked_weights(with_hash(sha256_of(tmp_path / WEIGHTS)), tmp_path) == tmp_path / WEIGHTS


def test_weights_that_differ_are_refused_with_both_hashes(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    seen = "bc286af0a38df87ee6c07dc7f97ce8a1ee13a1fa5e0d1fb0d6b3a5e6c4b9fb5e"
    with pytest.raises(WeightsError, match=f"'toy-expert' have SHA-256 [0-9a-f]{{64}}, the card says {seen}"):
        checked_weights(with_hash(seen), tmp_path)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"the weights 'weights\.safetensors' .* are missing"):
        checked_weights(with_hash("0" * 64), tmp_path)


def test_a_hash_is_the_one_that_everybody_computes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert sha256_of(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_what_keeps_a_model_from_loading_is_a_load_error() -> None:
    assert issubclass(CardError, LoadError)
    assert issubclass(WeightsError, LoadError)


def with_hash(sha256: str) -> ModelCard:
    return card(weights={"file": WEIGHTS, "sha256": sha256})
