"""A card that is wrong, or does not fit its weights, is refused with what to mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fishgate.errors import CardError, LoadError, WeightsError
from fishgate.model_card import (
    CARD_FILE,
    Kind,
    ModelCard,
    checked_weights,
    fingerprint_of,
    read_card,
    sha256_of,
    write_card,
)
from tests.toys import TAXA, WEIGHTS, card, card_json, certified


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in card_json().items() if name != key}


def labelled(*keys: str) -> dict[str, Any]:
    return card_json(labels={key: TAXA[i] for i, key in enumerate(keys)})


RULE = {"score": "learned", "intercept": 0.5, "weights": {"log_odds": 1.5, "entropy": -0.5}}
FEATURES = {"file": "gate.safetensors", "sha256": "2" * 64}
DISTANCE = {"weights": {"feature_distance": -1.0}, "features": FEATURES}

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
    "zero-shot with a rule": (
        card_json("zero_shot", gate={"threshold": 0.5, "evidence": "", "rule": RULE}),
        "only an expert's gate can have a rule or a certificate",
    ),
    "a rule in itself wrong": (
        card_json(gate={"threshold": 0.5, "evidence": "", "rule": {**RULE, "score": "margin"}}),
        "gate.rule: .*the score 'margin' weighs margin only",
    ),
    "a certificate in itself wrong": (
        certified(card_json(), accepted=20, pictures=10),
        "gate.certificate: .*20 accepted are more than the 10 pictures",
    ),
}


DECIDING = {  # what a certificate does not survive, as the part of the card that changes
    "threshold": {"gate": {"threshold": 0.4}},
    "intercept": {"gate": {"rule": {"intercept": 0.4}}},
    "weight of a measure": {"gate": {"rule": {"weights": {"entropy": -0.4}}}},
    "another measure": {"gate": {"rule": {"weights": {"margin": 0.1}}}},
    "features": {"gate": {"rule": DISTANCE}},
    "no rule": {"gate": {"rule": None}},
    "temperature": {"temperature": 1.1},
    "weights": {"weights": {"sha256": "1" * 64}},
    "architecture": {"architecture": {"name": "shufflenet_v2_x1_0"}},
    "configuration": {"architecture": {"config": {"stages_repeats": [4, 8, 4]}}},
    "a label": {"labels": {"2": {"label": "Known fish"}}},
    "a taxon": {"labels": {"1": {"rank": "family"}}},
    "picture size": {"preprocessing": {"width_px": 64}},
    "denoising": {"preprocessing": {"denoising": {"method": "median"}}},
}

IDLE = {  # what decides neither an answer nor its acceptance
    "nothing": {},
    "version": {"version": "expert-2"},
    "evidence": {"gate": {"evidence": "seen"}},
    "figures": {"metrics": {"accuracy": 0.9}},
    "the name of the weights": {"weights": {"file": "other.safetensors"}},
    "a 1 for 1.0": {"temperature": 1},
}


def certified_json() -> dict[str, Any]:
    """A card with a rule and a certificate that was given to it."""
    value = card_json(gate={"threshold": 0.5, "evidence": "none, it is a toy", "rule": RULE})
    return certified(value)


def changed_by(value: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The value with a part of it replaced, however deep."""
    deeper = {
        key: changed_by(value[key], part) if isinstance(part, dict) and isinstance(value.get(key), dict) else part
        for key, part in change.items()
    }
    return {**value, **deeper}


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


def test_a_card_knows_its_weights(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    right = {"file": WEIGHTS, "sha256": sha256_of(tmp_path / WEIGHTS)}
    assert checked_weights(card(weights=right), tmp_path) == tmp_path / WEIGHTS
    with pytest.raises(WeightsError, match=f"the weights of 'toy-expert' .*, the card says {'0' * 64}"):
        checked_weights(card(), tmp_path)


@pytest.mark.parametrize("change", DECIDING.values(), ids=DECIDING)
def test_a_certificate_of_another_model_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    changed = changed_by(certified_json(), change)
    with pytest.raises(CardError, match=r"certificate of 'toy-expert' .* run training/certify again") as caught:
        read_card(put(tmp_path, changed), kind=Kind.EXPERT)
    assert fingerprint_of(ModelCard.model_validate(changed)) in str(caught.value)


@pytest.mark.parametrize("change", IDLE.values(), ids=IDLE)
def test_a_certificate_stays_good_whatever_else_changes(tmp_path: Path, change: dict[str, Any]) -> None:
    promised = read_card(put(tmp_path, changed_by(certified_json(), change)), kind=Kind.EXPERT).gate.certificate
    assert promised is not None
    assert promised.risk == 0.02


def test_a_certified_card_survives_writing_and_reading(tmp_path: Path) -> None:
    written = ModelCard.model_validate(certified_json())
    write_card(written, tmp_path)
    assert read_card(tmp_path, kind=Kind.EXPERT) == written


def test_the_order_of_the_keys_is_no_part_of_a_fingerprint() -> None:
    turned = dict(reversed(certified_json().items()))
    turned["labels"] = dict(reversed(turned["labels"].items()))
    fingerprints = {fingerprint_of(ModelCard.model_validate(value)) for value in (certified_json(), turned)}
    assert len(fingerprints) == 1


def test_what_keeps_a_model_from_loading_is_a_load_error() -> None:
    assert issubclass(CardError, LoadError)
    assert issubclass(WeightsError, LoadError)
