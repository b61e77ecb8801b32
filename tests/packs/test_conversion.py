"""Published files: which are read, and which are refused, and why."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fishgate.model_card import ModelCard
from packs.conversion import convert, read_pickle, read_state, unwrapped
from packs.errors import ForeignWeights
from packs.hub import RemoteFile, Snapshot
from packs.sources import EXPERT
from packs.templates import unsealed_card
from packs.timm_names import torchvision_name

ROOT = Path(__file__).resolve().parents[2]
STATE = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2)}
PARALLEL = {f"module.{name}": tensor for name, tensor in STATE.items()}

ALLOWED = {
    "plain": STATE,
    "below state_dict": {"state_dict": STATE, "epoch": 3},
    "below model_state_dict": {"model_state_dict": STATE, "optimizer": {}},
    "below model": {"model": STATE},
    "from several devices": PARALLEL,
    "both": {"state_dict": PARALLEL},
}
REFUSED = {
    "a list": ([torch.ones(1)], r"holds a list; a dict of names to tensors is allowed, plain or below one of the keys"),
    "a tensor": (torch.ones(1), "holds a Tensor"),
    "an empty dict": ({}, "holds an empty dict"),
    "other keys": ({"weights": STATE}, r"holds a dict of weights \(dict\)"),
    "no tensors": ({"state_dict": {"lr": 0.1}}, r"holds a dict of lr \(float\)"),
    "numbered": ({0: torch.ones(1)}, r"holds a dict of 0 \(Tensor\)"),
}


class Hostile:
    """What an attacker would publish: reading it with plain pickle makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    file = RemoteFile("balik_modeli_final.pth", None, None)
    snapshot = Snapshot(EXPERT.repository, "1" * 40, {file.name: file})
    return unsealed_card(EXPERT, snapshot, file, models=ROOT / "models")


@pytest.mark.parametrize("value", ALLOWED.values(), ids=ALLOWED.keys())
def test_a_state_dict_is_found_in_its_wrapping(value: object, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "weights.pth")
    state = read_state(tmp_path / "weights.pth")
    assert list(state) == list(STATE)
    assert torch.equal(state["a.weight"], STATE["a.weight"])


@pytest.mark.parametrize(("value", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused_with_what_was_seen(value: object, message: str) -> None:
    with pytest.raises(ForeignWeights, match=message):
        unwrapped(value, "weights.pth")


def test_a_hostile_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "was_run"
    torch.save({"state_dict": STATE, "extra": Hostile(mark)}, path)
    with pytest.raises(ForeignWeights, match=r"refused unread: it calls for posix\.mkdir; only tensors"):
        read_pickle(path)
    assert not mark.exists()


def test_a_bare_hostile_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "was_run"
    path.write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(ForeignWeights, match="refused unread"):
        read_pickle(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists(), "the pickle of this test is a real attack"


def test_a_whole_network_is_refused_by_its_class(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "weights.pth")
    with pytest.raises(ForeignWeights, match=r"it calls for torch\.nn\.modules\.linear\.Linear"):
        read_pickle(tmp_path / "weights.pth")


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 and then nothing"])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_file_of_another_kind_is_refused_in_one_line(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ForeignWeights, match=name) as raised:
        read_state(tmp_path / name)
    assert "\n" not in str(raised.value)


def changed(network: torch.nn.Module, **changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    state = {**network.state_dict(), **changes}
    return {name: tensor for name, tensor in state.items() if tensor is not None}


MISFITS = {
    "a name is missing": (
        {"features.0.0.weight": None},
        r"'features.0.0.weight' of shape \[96, 3, 4, 4\] is wanted, but is not among the \d+ names",
    ),
    "a name is unknown": ({"head.weight": torch.zeros(3)}, r"'head.weight' of shape \[3\] has no place in 'convnext"),
    "a shape differs": (
        {"features.0.0.bias": torch.zeros(97)},
        r"'features.0.0.bias' has shape \[97\], the network wants \[96\]",
    ),
    "whole numbers": (
        {"features.0.0.bias": torch.zeros(96, dtype=torch.int8)},
        r"'features.0.0.bias' holds torch.int8",
    ),
}


@pytest.mark.parametrize(("changes", "message"), MISFITS.values(), ids=MISFITS.keys())
def test_weights_that_do_not_fit_are_refused_by_their_first_name(
    changes: dict[str, torch.Tensor | None], message: str, card: ModelCard, network: torch.nn.Module, tmp_path: Path
) -> None:
    torch.save(changed(network, **changes), tmp_path / "published.pth")
    with pytest.raises(ForeignWeights, match=message):
        convert(tmp_path / "published.pth", card, tmp_path / "weights.safetensors")
    assert not (tmp_path / "weights.safetensors").exists()


def test_tensors_that_share_memory_are_written_apart(card: ModelCard, network: torch.nn.Module, tmp_path: Path) -> None:
    shared = torch.arange(96.0)
    changes = {"features.0.0.bias": shared, "features.0.1.weight": shared}
    torch.save(changed(network, **changes), tmp_path / "published.pth")
    convert(tmp_path / "published.pth", card, tmp_path / "weights.safetensors")
    written = load_file(tmp_path / "weights.safetensors")
    assert torch.equal(written["features.0.0.bias"], shared)
    assert torch.equal(written["features.0.1.weight"], shared)


@pytest.mark.parametrize(
    ("timm_name", "name"),
    [
        ("stem.1.bias", "features.0.1.bias"),
        ("stages.0.blocks.2.gamma", "features.1.2.layer_scale"),
        ("stages.2.blocks.8.mlp.fc2.weight", "features.5.8.block.5.weight"),
        ("stages.3.downsample.1.weight", "features.6.1.weight"),
        ("head.fc.bias", "classifier.2.bias"),
        ("features.0.0.weight", "features.0.0.weight"),
        ("head.weight", "head.weight"),
    ],
)
def test_timm_names_are_translated_and_others_left(timm_name: str, name: str) -> None:
    assert torchvision_name(timm_name) == name
