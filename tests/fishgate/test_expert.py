"""A toy torchvision network with random weights, loaded and run as the real one is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fishgate import gate_score
from fishgate.device import Device
from fishgate.errors import CardError, WeightsError
from fishgate.expert import Expert, build_classifier, load_expert, load_weights
from fishgate.model_card import CARD_FILE, Kind, read_card
from fishgate.networks import logits_and_features
from fishgate.preprocessing import Pixels, normalise
from tests.toys import (
    CLIP_CONFIG,
    FEATURES,
    SHUFFLENET,
    TAXA,
    card,
    certified,
    toy_expert,
    write_features,
    write_folder,
)

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
        "a classifier is built by one of torchvision, timm, fishgate; the card says 'open_clip'",
    ),
    "unknown parameter": (
        {"architecture": {**SHUFFLENET, "config": {"depth": 3}}},
        CardError,
        "architecture.config of 'shufflenet_v2_x0_5' is not allowed.*depth",
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


LEARNED: dict[str, Any] = {
    "score": "learned",
    "weights": {"log_odds": 0.5, "energy": 0.02, "feature_distance": -0.3},
}


def with_rule(folder: Path, *, width: int = 1024, directions: int = 4, **rule: Any) -> Path:
    """A toy expert at temperature 2 whose gate reads such a rule; with its features unless told otherwise."""
    whole = {"intercept": 0.0, "features": write_features(folder, width=width, directions=directions), **rule}
    return write_folder(
        folder, toy_expert(), temperature=2.0, gate={"threshold": 0.5, "evidence": "toy", "rule": whole}
    )


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


def test_without_rule_the_certainty_is_the_confidence(expert: Expert) -> None:
    for finding in expert.examine(noise(4)):
        assert finding.certainty == finding.probabilities.max()


def test_a_rule_makes_the_certainty_of_logits_and_features(tmp_path: Path) -> None:
    expert = load_expert(with_rule(tmp_path, **LEARNED), CPU)
    rule = expert.card.gate.rule
    pictures = noise(5)
    with torch.inference_mode():
        logits, features = logits_and_features(toy_expert(), normalise(pictures, expert.card.preprocessing))
    geometry = gate_score.read_geometry(tmp_path / FEATURES)
    measured = gate_score.measures(logits.numpy(), temperature=2.0, features=features.numpy(), geometry=geometry)
    found = expert.examine(pictures)
    certainties = [finding.certainty for finding in found]
    np.testing.assert_allclose(certainties, gate_score.certainty(rule, measured), atol=1e-4)
    assert np.ptp(certainties) > 0.01
    np.testing.assert_allclose([f.probabilities for f in found], torch.softmax(logits / 2.0, dim=1), atol=1e-5)


def test_a_rule_without_distance_needs_no_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expert = load_expert(with_rule(tmp_path, score="margin", weights={"margin": 4.0}, features=None), CPU)
    monkeypatch.setattr("fishgate.expert.logits_and_features", None)  # to call it would raise
    for finding in expert.examine(noise(3)):
        second, first = np.sort(finding.probabilities)[-2:]
        assert finding.certainty == pytest.approx(1.0 / (1.0 + np.exp(-4.0 * (first - second))), abs=1e-5)


def test_the_certainty_of_a_batch_is_that_of_its_pictures_alone(tmp_path: Path) -> None:
    expert = load_expert(with_rule(tmp_path, **LEARNED), CPU)
    pictures = noise(5)
    singles = [expert.examine([picture])[0].certainty for picture in pictures]
    np.testing.assert_allclose([finding.certainty for finding in expert.examine(pictures)], singles, atol=1e-5)


def test_a_distance_without_geometry_is_refused(tmp_path: Path) -> None:
    loaded = read_card(with_rule(tmp_path, **LEARNED), kind=Kind.EXPERT)
    with pytest.raises(WeightsError, match="weighs a feature distance, but no geometry was given"):
        Expert(loaded, toy_expert(), CPU)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"width": 512}, r"holds whitening \(512, 4\) and points \(3, 4\); 'shufflenet_v2_x0_5' wants \(1024, R\)"),
        ({"directions": 5}, r"points \(3, 5\); .* wants \(1024, R\) and \(P, R\)"),
    ],
    ids=["another network's", "points of another space"],
)
def test_features_that_do_not_fit_the_network_are_refused(tmp_path: Path, shape: dict[str, int], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        load_expert(with_rule(tmp_path, **LEARNED, **shape), CPU)


def test_features_that_were_changed_are_refused(tmp_path: Path) -> None:
    with_rule(tmp_path, **LEARNED)
    write_features(tmp_path, width=1000)
    with pytest.raises(WeightsError, match="the gate features of 'toy-expert' have SHA-256"):
        load_expert(tmp_path, CPU)


def test_missing_features_are_refused(tmp_path: Path) -> None:
    (with_rule(tmp_path, **LEARNED) / FEATURES).unlink()
    with pytest.raises(WeightsError, match=r"the gate features 'gate\.safetensors' .* are missing"):
        load_expert(tmp_path, CPU)


def test_a_certified_expert_loads_and_one_with_another_threshold_does_not(tmp_path: Path) -> None:
    value = json.loads((write_folder(tmp_path, toy_expert()) / CARD_FILE).read_text())
    value = certified(value)
    (tmp_path / CARD_FILE).write_text(json.dumps(value))
    assert load_expert(tmp_path, CPU).card.gate.certificate is not None
    value["gate"]["threshold"] = 0.1
    (tmp_path / CARD_FILE).write_text(json.dumps(value))
    with pytest.raises(CardError, match="run training/certify again"):
        load_expert(tmp_path, CPU)


@pytest.mark.parametrize(
    ("library", "name"), [("fishgate", "small_cnn"), ("timm", "mobilenetv3_small_050")], ids=["fishgate", "timm"]
)
def test_an_expert_of_another_library_is_served(tmp_path: Path, library: str, name: str) -> None:
    architecture = {"library": library, "name": name}
    network = build_classifier(card(architecture=architecture))
    expert = load_expert(write_folder(tmp_path, network, architecture=architecture), CPU)
    assert [probabilities.shape for probabilities in expert.predict(noise(2))] == [(len(TAXA),)] * 2


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
