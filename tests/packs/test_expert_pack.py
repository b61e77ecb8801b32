"""The expert of the hub pack: what is written, and when nothing is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from fishgate.device import Device
from fishgate.expert import load_expert
from fishgate.model_card import CARD_FILE, Kind, checked_weights, read_card, sha256_of
from fishgate.preprocessing import normalise, to_pixels
from packs.errors import ForeignWeights
from packs.hub import Hub
from packs.pack import Folders
from packs.sources import EXPERT
from tests.packs.conftest import WEIGHTS, contents, fetch
from tests.packs.hub_stand_in import FIRST_COMMIT, SECOND_COMMIT, HubStandIn


def random_picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (90, 140, 3), dtype=np.uint8))


def test_the_pack_loads_and_its_card_tells_where_it_is_from(
    published: HubStandIn, hub: Hub, folders: Folders, pickled: Path
) -> None:
    changed, pack, said = fetch(hub, folders)

    card = read_card(pack, kind=Kind.EXPERT)
    assert changed
    assert card.version == "hub-11111111"
    assert card.training["source"] == {
        "repository": EXPERT.repository,
        "revision": FIRST_COMMIT,
        "file": "balik_modeli_final.pth",
        "sha256": sha256_of(pickled),
    }
    assert card.weights.sha256 == sha256_of(checked_weights(card, pack))
    assert [card.taxa[i].label for i in (0, 15, 39)] == ["Bangus", "Hourse Mackerel", "Trout"]
    assert sorted(path.name for path in pack.iterdir()) == [CARD_FILE, WEIGHTS]
    assert said[-1] == "expert: hub-11111111 is in place"


def test_the_converted_expert_gives_the_logits_of_the_original(
    published: HubStandIn, hub: Hub, folders: Folders, network: torch.nn.Module
) -> None:
    _, pack, _ = fetch(hub, folders)

    expert = load_expert(pack, Device("cpu"))
    pixels = to_pixels(random_picture(), expert.card.preprocessing)
    pictures = normalise([pixels], expert.card.preprocessing)
    with torch.inference_mode():
        wanted = network(pictures)
        seen = expert._network(pictures)
    assert torch.allclose(seen, wanted, atol=1e-5)
    assert np.allclose(expert.predict([pixels])[0], torch.softmax(wanted[0], dim=0).numpy(), atol=1e-5)


def test_names_as_timm_writes_them_give_the_same_network(
    server: HubStandIn, hub: Hub, folders: Folders, tmp_path: Path
) -> None:
    network = timm.create_model("convnext_tiny", num_classes=40).eval()
    with torch.no_grad():
        for parameter in network.parameters():  # timm starts the layer scales near nothing
            parameter.uniform_(-0.05, 0.05)
    torch.save(network.state_dict(), tmp_path / EXPERT.weights[0])
    server.publish(EXPERT.repository, FIRST_COMMIT, tmp_path / EXPERT.weights[0])
    _, pack, _ = fetch(hub, folders)

    expert = load_expert(pack, Device("cpu"))
    pictures = normalise([to_pixels(random_picture(), expert.card.preprocessing)], expert.card.preprocessing)
    with torch.inference_mode():
        assert torch.allclose(expert._network(pictures), network(pictures), atol=1e-4)


def test_a_second_run_downloads_and_changes_nothing(published: HubStandIn, hub: Hub, folders: Folders) -> None:
    _, pack, _ = fetch(hub, folders)
    before = contents(pack)
    published.requests.clear()

    changed, _, said = fetch(hub, folders)

    assert not changed
    assert contents(pack) == before
    assert published.downloads() == []
    assert said == ["expert: hub-11111111 is there already, unchanged"]


@pytest.mark.parametrize("damage", ["cut", "card gone", "weights gone"])
def test_a_damaged_pack_is_mended_from_the_cache(
    published: HubStandIn, hub: Hub, folders: Folders, damage: str
) -> None:
    _, pack, _ = fetch(hub, folders)
    whole = {name: digest for name, (digest, _) in contents(pack).items()}
    published.requests.clear()
    if damage == "cut":
        os.truncate(pack / WEIGHTS, 1000)
    else:
        (pack / (CARD_FILE if damage == "card gone" else WEIGHTS)).unlink()

    fetch(hub, folders)

    assert {name: digest for name, (digest, _) in contents(pack).items()} == whole
    assert published.downloads() == []


def test_a_new_revision_replaces_the_old_and_a_pinned_one_brings_it_back(
    published: HubStandIn, hub: Hub, folders: Folders, network: torch.nn.Module, tmp_path: Path
) -> None:
    _, pack, _ = fetch(hub, folders)
    halved = {name: tensor.half() for name, tensor in network.state_dict().items()}
    torch.save(halved, tmp_path / EXPERT.weights[0])
    published.publish(EXPERT.repository, SECOND_COMMIT, tmp_path / EXPERT.weights[0])

    fetch(hub, folders)
    assert read_card(pack, kind=Kind.EXPERT).version == "hub-22222222"
    assert load_file(pack / WEIGHTS)["classifier.2.weight"].dtype == torch.float16, "as it was published"
    load_expert(pack, Device("cpu"))

    fetch(hub, folders, revision=FIRST_COMMIT)
    assert read_card(pack, kind=Kind.EXPERT).version == "hub-11111111"


def test_wrong_shapes_are_refused_before_anything_is_written(
    server: HubStandIn, hub: Hub, folders: Folders, network: torch.nn.Module, tmp_path: Path
) -> None:
    state = dict(network.state_dict())
    state["classifier.2.weight"] = torch.zeros(39, 768)
    torch.save(state, tmp_path / EXPERT.weights[0])
    server.publish(EXPERT.repository, FIRST_COMMIT, tmp_path / EXPERT.weights[0])

    with pytest.raises(ForeignWeights, match=r"'classifier.2.weight' has shape \[39, 768\], the network wants \[40"):
        fetch(hub, folders)
    assert not any(path.is_file() for path in folders.output.rglob("*"))


def test_the_card_is_plain_json_and_honest_about_its_figures(published: HubStandIn, hub: Hub, folders: Folders) -> None:
    _, pack, _ = fetch(hub, folders)
    card = json.loads((pack / CARD_FILE).read_text(encoding="utf-8"))
    assert card["metrics"]["measured_here"] is False
    assert "byte-identical" in card["metrics"]["note"]
    assert "No calibration was published" in card["gate"]["evidence"]
