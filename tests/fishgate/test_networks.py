"""Every network that a card may name is built, and gives logits and features in one pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from fishgate.errors import CardError
from fishgate.model_card import Architecture
from fishgate.networks import SmallCnn, build_network, head_of, logits_and_features

CLASSES = 11

WIDTHS = {  # library, name → the width of its features
    ("torchvision", "mobilenet_v2"): 1280,
    ("torchvision", "vgg16"): 4096,
    ("torchvision", "resnet50"): 2048,
    ("torchvision", "resnet101"): 2048,
    ("torchvision", "inception_v3"): 2048,
    ("torchvision", "efficientnet_b0"): 1280,
    ("torchvision", "convnext_tiny"): 768,
    ("torchvision", "shufflenet_v2_x0_5"): 1024,
    ("timm", "tf_efficientnet_lite2"): 1280,
    ("fishgate", "small_cnn"): 128,
}

WRONG = {
    "unknown in torchvision": ("torchvision", "resnet_9000", {}, "torchvision has no classifier 'resnet_9000'; see"),
    "a detector": ("torchvision", "fasterrcnn_resnet50_fpn", {}, "no classifier"),
    "unknown in timm": ("timm", "resnet_9000", {}, r"timm has no classifier 'resnet_9000'; see timm\.list_models"),
    "from afar": ("timm", "hf-hub:timm/resnet18.a1_in1k", {}, "timm has no classifier"),
    "unknown here": ("fishgate", "big_cnn", {}, "fishgate has no classifier 'big_cnn'; it has 'small_cnn'"),
    "no classifier library": ("open_clip", "toy", {}, "one of torchvision, timm, fishgate; the card says 'open_clip'"),
    "unknown key": ("torchvision", "resnet18", {"depth": 3}, "architecture.config of 'resnet18' is not allowed.*depth"),
    "unknown key of ours": ("fishgate", "small_cnn", {"depth": 3}, "'small_cnn' is not allowed.*depth"),
    "value out of range": ("fishgate", "small_cnn", {"dropout": 7}, "'small_cnn' is not allowed.*dropout"),
    "weights of torchvision": ("torchvision", "resnet18", {"weights": "DEFAULT"}, "multiple values.*'weights'"),
    "weights of timm": ("timm", "resnet18", {"pretrained": True}, "multiple values.*'pretrained'"),
    "a pickle": ("timm", "resnet18", {"checkpoint_path": "weights.pth"}, "multiple values.*'checkpoint_path'"),
}


def build(library: str, name: str, **config: Any) -> nn.Module:
    return build_network(Architecture.model_validate({"library": library, "name": name, "config": config}), CLASSES)


@pytest.mark.parametrize(("library", "name"), WIDTHS, ids=[name for _, name in WIDTHS])
def test_a_network_gives_logits_and_features(library: str, name: str) -> None:
    with torch.device("meta"):  # shapes without numbers
        network = build(library, name).eval()
        logits, features = logits_and_features(network, torch.empty(2, 3, 96, 96))
    assert logits.shape == (2, CLASSES)
    assert features.shape == (2, WIDTHS[library, name])
    assert head_of(network).in_features == WIDTHS[library, name]


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_a_network_with_a_second_output_gives_logits_only_in_training_too(name: str) -> None:
    with torch.device("meta"):
        logits = build("torchvision", name).train()(torch.empty(2, 3, 96, 96))
    assert logits.shape == (2, CLASSES)


@pytest.mark.parametrize(("library", "name"), [("torchvision", "mobilenet_v2"), ("fishgate", "small_cnn")])
def test_the_head_makes_the_logits_of_the_features(library: str, name: str) -> None:
    torch.manual_seed(1)
    network, pictures = build(library, name).eval(), torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        logits, features = logits_and_features(network, pictures)
        torch.testing.assert_close(head_of(network)(features), logits)
        torch.testing.assert_close(network(pictures), logits)


def test_nothing_stays_on_a_network_that_was_asked_for_features() -> None:
    network = build("fishgate", "small_cnn").eval()
    for _ in range(3):
        logits_and_features(network, torch.zeros(1, 3, 16, 16))
    assert not head_of(network)._forward_pre_hooks


def test_features_take_part_in_training() -> None:
    network = build("fishgate", "small_cnn").eval()
    _, features = logits_and_features(network, torch.randn(2, 3, 16, 16))
    features.sum().backward()
    assert next(network.parameters()).grad is not None


def test_a_network_without_linear_layer_has_no_features() -> None:
    with torch.device("meta"), pytest.raises(CardError, match="a SqueezeNet has no linear layer at its end"):
        head_of(build("torchvision", "squeezenet1_1"))


def test_the_small_network_has_three_blocks_of_its_widths() -> None:
    network = build("fishgate", "small_cnn", widths=[4, 8, 16], dropout=0.5)
    assert isinstance(network, SmallCnn)
    parts = [[type(part).__name__ for part in block] for block in network.blocks]
    assert parts == [["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Dropout2d"]] * 3
    assert [block[0].out_channels for block in network.blocks] == [4, 8, 16]
    assert head_of(network).in_features == 16


@pytest.mark.parametrize("size", [(8, 8), (50, 31)], ids=str)
def test_the_small_network_takes_pictures_of_any_shape(size: tuple[int, int]) -> None:
    assert build("fishgate", "small_cnn").eval()(torch.zeros(2, 3, *size)).shape == (2, CLASSES)


@pytest.mark.parametrize(("library", "name", "config", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_built_is_refused(library: str, name: str, config: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        build(library, name, **config)
