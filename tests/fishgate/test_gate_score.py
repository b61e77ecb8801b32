"""The measures are those computed by hand, and the rule weighs them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fishgate.errors import WeightsError
from fishgate.gate_score import (
    MOST_LOG_ODDS,
    Geometry,
    certainty,
    feature_distance,
    measures,
    needs_features,
    read_geometry,
)
from fishgate.model_card import GateRule, Measure

# exp of a row: 6, 3, 1 of 10; and 1, 1, 2 of 4.
LOGITS = np.log(np.array([[6.0, 3.0, 1.0], [1.0, 1.0, 2.0]])).astype(np.float32)

BY_HAND = {  # temperature 1
    Measure.LOG_ODDS: [math.log(0.6 / 0.4), 0.0],
    Measure.MARGIN: [0.3, 0.25],
    Measure.ENERGY: [math.log(10.0), math.log(4.0)],
    Measure.ENTROPY: [-(0.6 * math.log(0.6) + 0.3 * math.log(0.3) + 0.1 * math.log(0.1)), 1.5 * math.log(2.0)],
}

GEOMETRY = Geometry(  # two classes in a plane; the third direction of features is not looked at
    whitening=np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]], dtype=np.float32),
    points=np.array([[2.0, 0.0], [0.0, 1.0]], dtype=np.float32),
)

DISTANCES = {  # feature → how far from the nearest class
    "at the first mean": ([1.0, 0.0, 0.0], 0.0),
    "at the second mean, whatever the length": ([0.0, 9.0, 0.0], 0.0),
    "opposite": ([-1.0, 0.0, 0.0], math.sqrt(5.0)),
    "in between, nearer to the second": ([0.6, 0.8, 0.0], math.sqrt(0.8**2 + 0.8**2)),
    "in no class's direction": ([0.0, 0.0, 1.0], 1.0),
    "no length at all": ([0.0, 0.0, 0.0], 1.0),
}


def rule(**changes: object) -> GateRule:
    value = {"score": "learned", "intercept": 0.5, "weights": {"log_odds": 2.0, "entropy": -1.0}}
    return GateRule.model_validate({**value, **changes})


@pytest.mark.parametrize("measure", BY_HAND, ids=lambda measure: measure.value)
def test_a_measure_is_the_one_computed_by_hand(measure: Measure) -> None:
    np.testing.assert_allclose(measures(LOGITS, temperature=1.0)[measure], BY_HAND[measure], atol=1e-6)


@pytest.mark.parametrize("measure", BY_HAND, ids=lambda measure: measure.value)
def test_only_energy_knows_no_temperature(measure: Measure) -> None:
    warm = measures(LOGITS * 2.0, temperature=2.0)[measure]
    cold = measures(LOGITS * (2.0 if measure is Measure.ENERGY else 1.0), temperature=1.0)[measure]
    np.testing.assert_allclose(warm, cold, atol=1e-6)


def test_energy_grows_with_all_logits_and_the_others_do_not_move() -> None:
    before, after = measures(LOGITS, temperature=1.5), measures(LOGITS + 3.0, temperature=1.5)
    np.testing.assert_allclose(after[Measure.ENERGY], before[Measure.ENERGY] + 3.0, atol=1e-6)
    for measure in (Measure.LOG_ODDS, Measure.MARGIN, Measure.ENTROPY):
        np.testing.assert_allclose(after[measure], before[measure], atol=1e-6)


def test_overwhelming_logits_stay_finite() -> None:
    measured = measures(np.array([[1e4, -1e4, 0.0], [0.0, 0.0, -1e4]], dtype=np.float32), temperature=0.01)
    assert all(np.isfinite(values).all() for values in measured.values())
    assert measured[Measure.LOG_ODDS].tolist() == [MOST_LOG_ODDS, 0.0]
    assert certainty(rule(weights={"log_odds": 1e6}), measured).tolist() == [1.0, pytest.approx(0.6225, abs=1e-4)]
    assert certainty(rule(weights={"log_odds": -1e6}), measured)[0] == 0.0


def test_a_model_with_one_label_is_as_sure_as_can_be() -> None:
    measured = measures(np.array([[0.3]], dtype=np.float32), temperature=1.0)
    assert measured[Measure.LOG_ODDS].tolist() == [MOST_LOG_ODDS]
    assert measured[Measure.MARGIN].tolist() == [1.0]


def test_without_rule_the_certainty_is_the_greatest_probability() -> None:
    logits = np.random.default_rng(2).normal(0.0, 4.0, (50, 7)).astype(np.float32)
    exponents = np.exp(logits / 1.7)
    wanted = (exponents / exponents.sum(axis=1, keepdims=True)).max(axis=1)
    np.testing.assert_allclose(certainty(None, measures(logits, temperature=1.7)), wanted, atol=1e-6)


def test_a_rule_is_the_sigmoid_of_the_weighted_sum() -> None:
    measured = measures(LOGITS, temperature=1.0)
    sums = [0.5 + 2.0 * BY_HAND[Measure.LOG_ODDS][i] - BY_HAND[Measure.ENTROPY][i] for i in range(2)]
    np.testing.assert_allclose(certainty(rule(), measured), [1.0 / (1.0 + math.exp(-x)) for x in sums], atol=1e-6)


@pytest.mark.parametrize(("feature", "distance"), DISTANCES.values(), ids=DISTANCES)
def test_the_distance_is_that_to_the_nearest_class(feature: list[float], distance: float) -> None:
    seen = feature_distance(np.array([feature], dtype=np.float32), GEOMETRY)
    np.testing.assert_allclose(seen, [distance], atol=1e-6)


def test_the_distance_is_measured_where_features_and_geometry_are_given() -> None:
    features = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=np.float32)
    measured = measures(LOGITS, temperature=1.0, features=features, geometry=GEOMETRY)
    np.testing.assert_allclose(measured[Measure.FEATURE_DISTANCE], [0.0, 1.0], atol=1e-6)
    assert Measure.FEATURE_DISTANCE not in measures(LOGITS, temperature=1.0, geometry=GEOMETRY)
    assert Measure.FEATURE_DISTANCE not in measures(LOGITS, temperature=1.0, features=features)


def test_whitened_distance_is_mahalanobis() -> None:
    random = np.random.default_rng(3)
    features = random.normal(0.0, 1.0, (40, 4))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    covariance, mean = np.cov(features.T), features[:7].mean(axis=0)
    values, vectors = np.linalg.eigh(covariance)
    whitening = vectors / np.sqrt(values)
    geometry = Geometry(whitening.astype(np.float32), (mean @ whitening)[None].astype(np.float32))
    wanted = [math.sqrt((x - mean) @ np.linalg.inv(covariance) @ (x - mean)) for x in features]
    np.testing.assert_allclose(feature_distance(features.astype(np.float32), geometry), wanted, rtol=1e-4)


def test_a_picture_measures_the_same_alone_and_among_others() -> None:
    together = measures(LOGITS, temperature=1.3)
    for i in range(len(LOGITS)):
        alone = measures(LOGITS[i : i + 1], temperature=1.3)
        assert {measure: values[0] for measure, values in alone.items()} == {m: v[i] for m, v in together.items()}


def test_only_a_rule_with_a_distance_needs_features() -> None:
    features = {"file": "gate.safetensors", "sha256": "0" * 64}
    assert not needs_features(None)
    assert not needs_features(rule())
    assert needs_features(rule(weights={"feature_distance": -1.0}, features=features))


def test_a_geometry_is_read_from_its_file(tmp_path: Path) -> None:
    save_file({"whitening": GEOMETRY.whitening, "points": GEOMETRY.points}, tmp_path / "gate.safetensors")
    read = read_geometry(tmp_path / "gate.safetensors")
    np.testing.assert_array_equal(read.whitening, GEOMETRY.whitening)
    np.testing.assert_array_equal(read.points, GEOMETRY.points)


def test_another_file_is_no_geometry(tmp_path: Path) -> None:
    save_file({"points": GEOMETRY.points}, tmp_path / "half.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(WeightsError, match=r"must hold exactly 'whitening' and 'points', it holds \['points'\]"):
        read_geometry(tmp_path / "half.safetensors")
    with pytest.raises(WeightsError, match=r"'text\.safetensors' is no safetensors file"):
        read_geometry(tmp_path / "text.safetensors")
