"""Where the encoder of a linear probe comes from, and what is said when it cannot be had."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from fishgate.preprocessing import ResizeMode
from tests.training.toy_clip import NAME, register_toy_clip, write_checkpoint, write_pack
from training.clip_settings import ClipModel, PlainPrompts
from training.encoders import ClipEncoder, EncoderError, load_encoder
from training.recipe import Picture

BATCH = [np.full((32, 32, 3), value, dtype=np.uint8) for value in (0, 90, 255)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    register_toy_clip(folder / "configs")
    write_checkpoint(folder / "epoch_3.pt")
    write_pack(folder / "pack")
    return folder


@pytest.fixture(scope="module")
def from_checkpoint(folder: Path) -> ClipEncoder:
    return load_encoder(ClipModel(name=NAME, checkpoint=folder / "epoch_3.pt"), None)


def test_a_checkpoint_gives_the_features_of_the_network_that_wrote_it(from_checkpoint: ClipEncoder, folder: Path):
    network, _, transform = open_clip.create_model_and_transforms(NAME, pretrained=str(folder / "epoch_3.pt"))
    pictures = torch.stack([transform(Image.fromarray(pixels)) for pixels in BATCH])
    with torch.inference_mode():
        wanted = network.eval().encode_image(pictures).numpy()
    assert from_checkpoint.encode(BATCH) == pytest.approx(wanted, abs=1e-5)


def test_the_preprocessing_is_that_which_open_clip_attaches(from_checkpoint: ClipEncoder):
    own = from_checkpoint.preprocessing
    assert (own.width_px, own.resize_mode) == (32, ResizeMode.CROP)
    assert own.mean == pytest.approx(open_clip.OPENAI_DATASET_MEAN)


def test_a_pack_brings_its_own_preprocessing(folder: Path):
    encoder = load_encoder(ClipModel(pack=folder / "pack"), None)
    assert encoder.preprocessing.resize_mode is ResizeMode.SQUASH
    assert encoder.encode(BATCH).shape == (3, 16)


def test_the_recipe_may_say_another_preprocessing(folder: Path):
    encoder = load_encoder(ClipModel(pack=folder / "pack"), Picture(size_px=32, mean=(0.1, 0.2, 0.3)))
    assert encoder.preprocessing.mean == (0.1, 0.2, 0.3)


def test_other_weights_have_another_key(from_checkpoint: ClipEncoder, folder: Path):
    state = torch.load(folder / "epoch_3.pt", weights_only=True)
    state["state_dict"]["module.visual.proj"] += 1.0
    torch.save(state, folder / "epoch_4.pt")
    other = load_encoder(ClipModel(name=NAME, checkpoint=folder / "epoch_4.pt"), None)
    again = load_encoder(ClipModel(name=NAME, checkpoint=folder / "epoch_3.pt"), None)
    assert from_checkpoint.key == again.key != other.key


def test_names_become_unit_vectors_times_the_scale_in_their_order(from_checkpoint: ClipEncoder):
    names = ["Trout", "Gold Fish"]
    head = from_checkpoint.zero_shot_head(names, ["a photo of a {}.", "{}"])
    scale = float(from_checkpoint.network.logit_scale.detach().exp())
    assert np.linalg.norm(head, axis=1) == pytest.approx([scale, scale], rel=1e-4)
    assert from_checkpoint.zero_shot_head(names[::-1], ["a photo of a {}.", "{}"]) == pytest.approx(
        head[::-1], abs=1e-4
    )


def test_weights_that_cannot_be_fetched_are_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EncoderError, match=r"cannot provide 'hf-hub:toy/absent'.*model\.checkpoint.*model\.pack"):
        load_encoder(ClipModel(name="hf-hub:toy/absent"), None)


WRONG = {
    "unknown model": (ClipModel(name="no-such-clip", pretrained="openai"), "cannot provide 'no-such-clip'"),
    "no such file": (ClipModel(name=NAME, checkpoint=Path("absent.pt")), "there is no checkpoint absent.pt"),
}


@pytest.mark.parametrize(("model", "message"), WRONG.values(), ids=WRONG)
def test_a_model_that_cannot_be_had_is_named(model: ClipModel, message: str, folder: Path):
    with pytest.raises(EncoderError, match=message):
        load_encoder(model, None)


def test_a_checkpoint_of_another_network_is_refused(folder: Path):
    torch.save({"weight": torch.zeros(2)}, folder / "other.pt")
    with pytest.raises(EncoderError, match=r"'other\.pt' is none of the open_clip model 'toy-fish-clip'"):
        load_encoder(ClipModel(name=NAME, checkpoint=folder / "other.pt"), None)


MODELS = {
    "nothing": ({}, "either 'pack' alone, or 'name'"),
    "pack and name": ({"pack": "a", "name": "ViT-B-32"}, "either 'pack' alone, or 'name'"),
    "pack and checkpoint": ({"pack": "a", "checkpoint": "b"}, "either 'pack' alone, or 'name'"),
    "a name alone": ({"name": "ViT-B-32"}, "one of 'pretrained' and 'checkpoint'"),
    "two weights": ({"name": "ViT-B-32", "pretrained": "openai", "checkpoint": "b"}, "one of 'pretrained'"),
    "a hub's name with weights": ({"name": "hf-hub:a/b", "pretrained": "openai"}, "begins with hf-hub: neither"),
}


@pytest.mark.parametrize(("table", "message"), MODELS.values(), ids=MODELS)
def test_a_model_is_named_in_one_way(table: dict[str, str], message: str):
    with pytest.raises(ValidationError, match=message):
        ClipModel.model_validate(table)


def test_a_prompt_needs_a_place_for_the_name():
    with pytest.raises(ValidationError, match=r"'a fish' has no \{\} where the name goes"):
        PlainPrompts(templates=("a fish",))
