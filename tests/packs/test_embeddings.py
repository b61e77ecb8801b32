"""Stored text embeddings: used when they are this pack's, otherwise computed anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fishgate.device import Device
from fishgate.model_card import Kind, ModelCard, TextType, Weights, read_card, sha256_of, write_card
from fishgate.text_embeddings import EMBEDDINGS_FILE, NameEncoder, prompt_names, stored_texts, texts_identity
from fishgate.zero_shot import ZeroShot, build_clip, load_zero_shot
from packs.embeddings import store_embeddings
from tests.packs.test_zero_shot_pack import TINY, tiny_state

CPU = Device("cpu")
PICTURE = np.random.default_rng(2).integers(0, 256, (224, 224, 3), dtype=np.uint8)
LABELS = {
    "0": {"label": "Tilapia", "scientific_name": "Oreochromis niloticus", "rank": "species", "kingdom": "Animalia"},
    "1": {"label": "Perch"},
    "2": {"label": "Goby", "scientific_name": "Gobiidae", "rank": "family"},
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    save_file(tiny_state(), tmp_path / "weights.safetensors")
    card = ModelCard.model_validate(
        {
            "name": "tiny",
            "version": "1",
            "kind": "zero_shot",
            "labels": LABELS,
            "training": {},
            "metrics": {},
            "architecture": {"library": "open_clip", "name": "tiny", "config": TINY},
            "weights": {"file": "weights.safetensors", "sha256": sha256_of(tmp_path / "weights.safetensors")},
            "preprocessing": {
                "width_px": 224,
                "height_px": 224,
                "resize_mode": "squash",
                "interpolation": "bilinear",
                "mean": (0.5, 0.5, 0.5),
                "std": (0.25, 0.25, 0.25),
            },
            "gate": {"threshold": 0.5, "evidence": "none"},
            "limits": "a toy",
            "licence": "none",
        }
    )
    write_card(card, tmp_path)
    return tmp_path


class Encoded:
    """Counts the names that the text tower was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        embed = NameEncoder.embed

        def counted(encoder: NameEncoder, name: str) -> torch.Tensor:
            self.names.append(name)
            return embed(encoder, name)

        monkeypatch.setattr(NameEncoder, "embed", counted)


def test_stored_embeddings_are_used_and_change_no_answer(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = load_zero_shot(pack, CPU).predict([PICTURE], [None])[0]
    assert store_embeddings(pack, CPU)
    encoded = Encoded(monkeypatch)

    stored = load_zero_shot(pack, CPU).predict([PICTURE], [None])[0]

    assert encoded.names == []
    assert np.allclose(stored, computed, atol=1e-6)


def test_they_are_written_once(pack: Path) -> None:
    store_embeddings(pack, CPU)
    before = (pack / EMBEDDINGS_FILE).stat().st_mtime_ns
    assert not store_embeddings(pack, CPU)
    assert (pack / EMBEDDINGS_FILE).stat().st_mtime_ns == before
    assert load_file(pack / EMBEDDINGS_FILE)["embeddings"].shape == (3, 8)


def changed(card: ModelCard, what: str) -> ModelCard:
    if what == "other weights":
        return card.model_copy(update={"weights": Weights(file="weights.safetensors", sha256="a" * 64)})
    if what == "other prompts":
        return card.model_copy(update={"prompts": card.prompts.model_copy(update={"text_type": TextType.COMMON})})
    order = {"0": card.labels["1"], "1": card.labels["0"], "2": card.labels["2"]}
    return ModelCard.model_validate(card.model_dump() | {"labels": {key: t.model_dump() for key, t in order.items()}})


@pytest.mark.parametrize("what", ["other weights", "other prompts", "another order"])
def test_embeddings_of_another_model_are_not_used(pack: Path, what: str) -> None:
    store_embeddings(pack, CPU)
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    assert stored_texts(card, pack) is not None
    assert stored_texts(changed(card, what), pack) is None


def test_a_relabelled_pack_computes_its_own(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_embeddings(pack, CPU)
    card = changed(read_card(pack, kind=Kind.ZERO_SHOT), "another order")
    write_card(card, pack)
    encoded = Encoded(monkeypatch)

    load_zero_shot(pack, CPU)

    assert encoded.names == prompt_names(card)
    assert store_embeddings(pack, CPU), "the next fetch replaces them"


DAMAGED = {
    "no tensor": {"other": torch.ones(3, 8)},
    "another shape": {"embeddings": torch.ones(3, 9)},
    "another dtype": {"embeddings": torch.ones(3, 8, dtype=torch.float16)},
    "not of unit length": {"embeddings": torch.ones(3, 8)},
}


@pytest.mark.parametrize("tensors", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_embeddings_are_not_used(pack: Path, tensors: dict[str, torch.Tensor]) -> None:
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    save_file(tensors, pack / EMBEDDINGS_FILE, metadata=texts_identity(card))
    assert stored_texts(card, pack) is None


@pytest.mark.parametrize("content", [None, b"", b"no safetensors"], ids=["missing", "empty", "another kind"])
def test_a_file_that_cannot_be_read_is_not_used(pack: Path, content: bytes | None) -> None:
    if content is not None:
        (pack / EMBEDDINGS_FILE).write_bytes(content)
    assert stored_texts(read_card(pack, kind=Kind.ZERO_SHOT), pack) is None


def test_known_embeddings_can_be_given(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    encoded = Encoded(monkeypatch)
    ZeroShot(card, build_clip(card), CPU, card_texts=torch.eye(3, 8))
    assert encoded.names == []
