"""The network that matches pictures and names: its start, its parts, its prompts."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from fishgate.model_card import Architecture, Library
from fishgate.networks import build_network
from fishgate.taxonomy import Taxon
from tests.training.toy_clip import TOWER, write_expert
from training.backbones import StartError
from training.clip_learner import ClipLearner, clip_config, clip_from
from training.clip_settings import Matching
from training.recipe import Network

TAXA = [Taxon(label="Trout", scientific_name="Oncorhynchus mykiss"), Taxon(label="Perch")]
SMALL = Matching(embedding=8, dropout=0.0, text_width=8, text_heads=2, text_layers=1)


def network_of(start: str = "random", name: str = TOWER) -> nn.Module:
    described = Network(library=Library.TIMM, name=name, start=start)
    return clip_from(described, clip_config(described, SMALL, size_px=32))


def test_the_image_tower_starts_as_the_expert_without_its_head(tmp_path: Path):
    expert = write_expert(tmp_path / "expert", classes=3)
    trunk = network_of(f"pack:{expert}").get_submodule("visual.trunk")
    torch.manual_seed(1)
    classifier = build_network(Architecture(library=Library.TIMM, name=TOWER), 3)
    state = load_file(expert / "weights.safetensors")
    classifier.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    pictures = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        features = classifier.eval().forward_head(classifier.forward_features(pictures), pre_logits=True)
        assert torch.allclose(trunk.eval()(pictures), features, atol=1e-5)


def test_a_pack_of_another_network_is_refused(tmp_path: Path):
    expert = write_expert(tmp_path / "expert", classes=3)
    with pytest.raises(StartError, match="does not fit the network"):
        network_of(f"pack:{expert}", name="test_resnet")


def test_an_image_tower_of_another_library_is_refused():
    described = Network(library=Library.TORCHVISION, name="mobilenet_v2")
    with pytest.raises(StartError, match=r"built by timm; network\.library is 'torchvision'"):
        clip_config(described, SMALL, size_px=32)


def test_head_and_backbone_are_all_that_learns_and_the_first_layers_do_not():
    learner = ClipLearner(network_of(), TAXA, frozen_layers=3)
    learning = {id(parameter) for parameter in (*learner.head, *learner.backbone)}
    frozen = {name for name, parameter in learner.network.named_parameters() if id(parameter) not in learning}
    assert frozen
    assert {".".join(name.split(".")[:3]) for name in frozen} == {
        "visual.trunk.conv_stem",
        "visual.trunk.bn1",
        "visual.trunk.blocks",
    }
    assert all(name.startswith("visual.trunk.blocks.0.") for name in frozen if ".blocks." in name)
    assert "logit_scale" in {name for name, part in learner.network.named_parameters() if id(part) in learning}


def test_too_many_frozen_layers_are_refused():
    with pytest.raises(StartError, match="frozen_layers is 99, the image tower has"):
        ClipLearner(network_of(), TAXA, frozen_layers=99)


def test_training_varies_the_prompts_and_measuring_does_not():
    learner = ClipLearner(network_of(), TAXA)
    pictures = torch.rand(2, 3, 32, 32)
    learner.set_training()
    random.seed(1)
    first, second = learner.scores(pictures), learner.scores(pictures)
    assert first.shape == (2, 2)
    assert not torch.equal(first, second)
    random.seed(1)
    assert torch.equal(learner.scores(pictures), first)
    learner.network.eval()
    assert torch.equal(learner.scores(pictures), learner.scores(pictures))
