"""Zero-shot of the hub pack: which file, which configuration, which labels, and the true size."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from fishgate.expert import load_weights
from fishgate.model_card import CARD_FILE, Kind, checked_weights, read_card, sha256_of
from fishgate.zero_shot import build_clip
from packs.errors import ForeignWeights, HubError
from packs.hub import Hub
from packs.layout import wanted_state
from packs.pack import Folders, fetch_pack
from packs.sources import ZERO_SHOT
from packs.templates import TEMPLATE_FILE
from tests.packs.conftest import ROOT
from tests.packs.hub_stand_in import FIRST_COMMIT, HubStandIn

PREFERRED, FALLBACK = ZERO_SHOT.weights
CONFIG = "open_clip_config.json"
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
VIT_L_14: dict[str, Any] = {
    "embed_dim": 768,
    "vision_cfg": {"image_size": 224, "layers": 24, "width": 1024, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 768, "heads": 12, "layers": 12},
}
TINY: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 224, "layers": 1, "width": 16, "head_width": 8, "patch_size": 112},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def write_config(folder: Path, model: dict[str, Any], *, mean: list[float] = MEAN) -> Path:
    path = folder / CONFIG
    preprocess = {"mean": mean, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"}
    path.write_text(json.dumps({"model_cfg": model, "preprocess_cfg": preprocess}), encoding="utf-8")
    return path


def tiny_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return dict(open_clip.CLIP(**TINY).state_dict())


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Templates of our own, so that the labels do not hang on the demo pack."""
    for name in ("expert", "zero_shot"):
        (tmp_path / "templates" / name).mkdir(parents=True)
        shutil.copy(ROOT / "models" / name / TEMPLATE_FILE, tmp_path / "templates" / name)
    return Folders(models=tmp_path / "templates", output=tmp_path / "models")


def fetch(hub: Hub, folders: Folders) -> Path:
    fetch_pack(ZERO_SHOT, hub, folders, revision=None, say=lambda _: None)
    return folders.pack(ZERO_SHOT)


def publish_tiny(server: HubStandIn, folder: Path, *, name: str = PREFERRED) -> Path:
    path = folder / name
    torch.save(tiny_state(), path) if name.endswith(".bin") else save_file(tiny_state(), path)
    server.publish(ZERO_SHOT.repository, FIRST_COMMIT, path, write_config(folder, TINY))
    return path


def test_safetensors_are_laid_down_byte_for_byte(
    server: HubStandIn, hub: Hub, folders: Folders, tmp_path: Path
) -> None:
    path = publish_tiny(server, tmp_path)
    card = read_card(fetch(hub, folders), kind=Kind.ZERO_SHOT)
    assert card.weights.sha256 == sha256_of(path) == card.training["source"]["sha256"]


def test_a_repository_with_a_pickle_only_will_do(
    server: HubStandIn, hub: Hub, folders: Folders, tmp_path: Path
) -> None:
    publish_tiny(server, tmp_path, name=FALLBACK)
    pack = fetch(hub, folders)
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    assert card.training["source"]["file"] == FALLBACK
    network = build_clip(card)
    load_weights(network, card, checked_weights(card, pack))
    assert torch.equal(network.state_dict()["visual.proj"], tiny_state()["visual.proj"])


def test_a_scale_of_one_element_fits_a_scalar(server: HubStandIn, hub: Hub, folders: Folders, tmp_path: Path) -> None:
    save_file(tiny_state() | {"logit_scale": torch.tensor([4.6])}, tmp_path / PREFERRED)
    server.publish(ZERO_SHOT.repository, FIRST_COMMIT, tmp_path / PREFERRED, write_config(tmp_path, TINY))
    pack = fetch(hub, folders)
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    network = build_clip(card)
    load_weights(network, card, checked_weights(card, pack))
    assert network.state_dict()["logit_scale"].item() == pytest.approx(4.6)


def test_labels_are_the_experts_until_the_demo_card_names_others(
    server: HubStandIn, hub: Hub, folders: Folders, tmp_path: Path
) -> None:
    publish_tiny(server, tmp_path)
    pack = fetch(hub, folders)
    assert len(read_card(pack, kind=Kind.ZERO_SHOT).taxa) == 40

    demo = folders.models / "zero_shot" / "demo" / CARD_FILE
    demo.parent.mkdir()
    labels = {"0": {"label": "Cod", "scientific_name": "Gadus morhua", "rank": "species"}, "1": {"label": "Ling"}}
    demo.write_text(json.dumps({"labels": labels}), encoding="utf-8")
    server.requests.clear()
    fetch(hub, folders)

    assert [taxon.label for taxon in read_card(pack, kind=Kind.ZERO_SHOT).taxa] == ["Cod", "Ling"]
    assert server.downloads() == [], "only the card was written anew"


def test_the_published_evaluation_is_followed(server: HubStandIn, hub: Hub, folders: Folders, tmp_path: Path) -> None:
    publish_tiny(server, tmp_path)
    card = read_card(fetch(hub, folders), kind=Kind.ZERO_SHOT)
    preprocessing = card.preprocessing.model_dump(mode="json")
    assert (preprocessing["resize_mode"], preprocessing["interpolation"]) == ("squash", "bilinear")
    assert card.prompts.text_type.value == "taxon_com"


def test_other_colours_are_refused(server: HubStandIn, hub: Hub, folders: Folders, tmp_path: Path) -> None:
    publish_tiny(server, tmp_path)
    write_config(tmp_path, TINY, mean=[0.5, 0.5, 0.5])
    with pytest.raises(ForeignWeights, match=r"says mean \[0.5, 0.5, 0.5\], the card template \[0.48145466"):
        fetch(hub, folders)


def test_a_repository_without_configuration_is_refused(
    server: HubStandIn, hub: Hub, folders: Folders, tmp_path: Path
) -> None:
    path = publish_tiny(server, tmp_path)
    server.publish(ZERO_SHOT.repository, FIRST_COMMIT, path)
    with pytest.raises(HubError, match=f"has no {CONFIG}; it has {PREFERRED}; pin a revision"):
        fetch(hub, folders)


def write_zeros(path: Path) -> None:
    """Write a ViT-L/14 of float16 zeros with its true names and shapes, without ever holding it in memory."""
    with torch.device("meta"):
        state = open_clip.CLIP(**VIT_L_14).state_dict()
    header, end = {}, 0
    for name, tensor in state.items():
        start, end = end, end + 2 * tensor.numel()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)  # a sparse file: zeros take no room


@pytest.mark.slow
def test_the_real_network_is_fetched_and_loads(server: HubStandIn, hub: Hub, folders: Folders, tmp_path: Path) -> None:
    write_zeros(tmp_path / PREFERRED)
    server.publish(ZERO_SHOT.repository, FIRST_COMMIT, tmp_path / PREFERRED, write_config(tmp_path, VIT_L_14))

    pack = fetch(hub, folders)

    card = read_card(pack, kind=Kind.ZERO_SHOT)
    template = json.loads((folders.models / "zero_shot" / TEMPLATE_FILE).read_text(encoding="utf-8"))
    assert card.architecture.config == VIT_L_14 == template["architecture"]["config"]
    assert sum(tensor.numel() for tensor in wanted_state(card).values()) == 427_616_513
    load_weights(build_clip(card), card, checked_weights(card, pack))
