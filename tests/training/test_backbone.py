"""The same backbone in torchvision and in timm."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from training.backbone import State, classifier_from, fill_timm_tower, read_backbone, timm_state

SHARED_WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "weights" / "mobilenet_v2_imagenet.safetensors"


def toy_backbone(folder: Path) -> State:
    torch.manual_seed(5)
    network = torchvision.models.mobilenet_v2(num_classes=1001)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.1, 0.1)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    save_file(network.half().state_dict(), folder / "backbone.safetensors")
    return read_backbone(folder / "backbone.safetensors")


@torch.inference_mode()
def assert_same_features(backbone: State) -> None:
    pictures = torch.rand(2, 3, 96, 96) * 2 - 1
    tower = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=0).eval()
    fill_timm_tower(tower, backbone)
    expected = classifier_from(backbone, classes=3).eval().get_submodule("features")(pictures).mean(dim=(2, 3))
    assert expected.std() > 0.01
    torch.testing.assert_close(tower(pictures), expected, rtol=1e-4, atol=1e-4)


def test_the_timm_tower_gives_the_features_of_torchvision(tmp_path: Path):
    assert_same_features(toy_backbone(tmp_path))


def test_the_timm_tower_gives_the_features_of_torchvision_with_true_weights():
    if not SHARED_WEIGHTS.is_file():
        pytest.skip("the ImageNet weights in ../shared/weights are absent")
    assert_same_features(read_backbone(SHARED_WEIGHTS))


def test_the_head_is_left_out_and_replaced(tmp_path: Path):
    backbone = toy_backbone(tmp_path)
    assert not [name for name in backbone if name.startswith("classifier")]
    assert classifier_from(backbone, classes=40)(torch.rand(2, 3, 64, 64)).shape == (2, 40)


def test_a_backbone_of_another_shape_is_refused(tmp_path: Path):
    backbone = toy_backbone(tmp_path)
    backbone["features.0.0.weight"] = torch.zeros(16, 3, 3, 3)
    with pytest.raises(
        ValueError, match=r"'features.0.0.weight' has shape \(16, 3, 3, 3\), 'conv_stem.weight' in timm"
    ):
        timm_state(backbone)


def test_a_backbone_with_a_layer_missing_is_refused(tmp_path: Path):
    backbone = toy_backbone(tmp_path)
    del backbone["features.18.0.weight"]
    with pytest.raises(ValueError, match=r"does not fit: missing \['features\.18\.0\.weight'\]"):
        classifier_from(backbone, classes=3)
