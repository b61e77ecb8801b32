"""A toy torchvision network with random weights, loaded and run as the real one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fishgate.device import Device
from fishgate.errors import CardError, WeightsError
from fishgate.expert import Expert, build_classifier, load_expert, load_weights
from fishgate.model_card import Kind, read_card
from fishgate.preprocessing import Pixels
from tests.toys import CLIP_CONFIG, SHUFFLENET, TAXA, card, toy_expert, write_folder

CPU = Device("cpu")

WRONG_CARDS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown architecture": (
        {"architecture": {"library": "torchvision", "name": "resnet_9000"}},
        CardError,
        "torchvision has no classifier 'resnet_9000'; see torchvision.models.list_models",
    ),
    "a detector": (
        {"architecture": {"library": "torchvision", "name": "fasterrcnn_resnet50_fpn"}},
        CardError,
        "no classifier",
    ),
    "another library": (
        {"architecture": {"library": "open_clip", "name": "toy", "config": CLIP_CONFIG}},
        CardError,
        "an expert is built by torchvision, the card says 'open_clip'",
    ),
    "unknown parameter": (
        {"architecture": {**SHUFFLENET, "config": {"depth": 3}}},
        CardError,
        "architecture.config of 'toy-expert'.*depth",
    ),
    "a label too many": (
        {"labels": {str(i): {"label": f"fish {i}"} for i in range(4)}},
        WeightsError,
        r"does not fit 'shufflenet_v2_x0_5' with 4 labels: .*size mismatch for fc.bias",
    ),
    "another network": (
        {"architecture": {"library": "torchvision", "name": "squeezenet1_1"}},
        WeightsError,
        "does not fit 'squeezenet1_1'",
    ),
    "another kind": ({"kind": "zero_shot"}, CardError, "this worker needs 'expert'"),
}


def noise(count: int) -> list[Pixels]:
    """Coloured noise, each picture in a colour of its own."""
    random = np.random.default_rng(4)
    colours = random.random((count, 1, 1, 3))
    return list((random.integers(0, 256, (count, 32, 32, 3)) * colours).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("expert"), toy_expert())


@pytest.fixture(scope="module")
def expert(folder: Path) -> Expert:
    return load_expert(folder, CPU)


def test_probabilities_fit_the_labels_and_sum_to_one(expert: Expert) -> None:
    for probabilities in expert.predict(noise(3)):
        assert probabilities.shape == (len(TAXA),)
        assert probabilities.dtype == np.float32
        assert probabilities.sum() == pytest.approx(1.0, abs=1e-5)


def test_pictures_differ(expert: Expert) -> None:
    one, other = expert.predict(noise(2))
    assert np.abs(one - other).max() > 0.01


def test_a_batch_says_what_its_pictures_say_alone(expert: Expert) -> None:
    pictures = noise(5)
    singles = [expert.predict([picture])[0] for picture in pictures]
    np.testing.assert_allclose(np.stack(expert.predict(pictures)), np.stack(singles), atol=1e-5)


def test_an_empty_batch_gives_nothing(expert: Expert) -> None:
    assert expert.predict([]) == []


def test_the_loaded_network_says_what_the_saved_one_said(expert: Expert) -> None:
    direct = Expert(card(), toy_expert(), CPU)
    np.testing.assert_allclose(direct.predict(noise(2)), expert.predict(noise(2)), atol=1e-6)


def test_temperature_divides_the_logits() -> None:
    cold, warm = Expert(card(), toy_expert(), CPU), Expert(card(temperature=4.0), toy_expert(), CPU)
    roots = np.stack(cold.predict(noise(3))) ** 0.25
    np.testing.assert_allclose(warm.predict(noise(3)), roots / roots.sum(axis=1, keepdims=True), atol=1e-5)


def test_weights_in_half_precision_are_computed_with_in_full(tmp_path: Path) -> None:
    loaded = load_expert(write_folder(tmp_path, toy_expert().half()), CPU)
    rounded = Expert(card(), toy_expert().half().float(), CPU)
    np.testing.assert_allclose(loaded.predict(noise(2)), rounded.predict(noise(2)), atol=1e-6)


@pytest.mark.parametrize(("changes", "error", "message"), WRONG_CARDS.values(), ids=WRONG_CARDS)
def test_a_card_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_expert(write_folder(tmp_path, toy_expert(), **changes), CPU)


def test_weights_that_were_changed_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, toy_expert())
    with (tmp_path / "weights.safetensors").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(WeightsError, match="restore the file or write the card anew"):
        load_expert(tmp_path, CPU)


def test_a_pickle_under_the_name_of_safetensors_is_never_unpickled(tmp_path: Path) -> None:
    write_folder(tmp_path, toy_expert())
    torch.save({"fc.bias": torch.zeros(3)}, tmp_path / "weights.safetensors")
    loaded = read_card(tmp_path, kind=Kind.EXPERT)
    with pytest.raises(WeightsError, match="is no safetensors file"):
        load_weights(build_classifier(loaded), loaded, tmp_path / "weights.safetensors")
