"""The linear head on arrays: it learns what can be told apart by a plane, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from training.clip_settings import Probe
from training.linear_head import LabelledFeatures, LinearHead, train_head, unit

CLASSES = 4
SETTINGS = Probe(epochs=30, rate=1e-2, weight_decay=0.0, batch=32)


def toy_features(seed: int) -> LabelledFeatures:
    """Features of 4 classes in 16 dimensions, each class round its own direction, of any length."""
    chance = np.random.default_rng(seed)
    labels = np.arange(120) % CLASSES
    directions = np.eye(16)[:CLASSES] * 2
    features = directions[labels] + 0.2 * chance.standard_normal((120, 16))
    return LabelledFeatures((features * chance.uniform(1, 50, (120, 1))).astype(np.float32), labels)


def test_classes_that_a_plane_can_part_are_learnt():
    trained = train_head(toy_features(1), toy_features(2), classes=CLASSES, settings=SETTINGS, seed=7)
    unseen = toy_features(3)
    assert (trained.head.logits(unseen.features).argmax(axis=1) == unseen.labels).all()
    assert trained.history[-1]["validation_accuracy"] == 1.0
    assert trained.history[-1]["train_loss"] < trained.history[0]["train_loss"] / 3


def test_the_history_tells_every_epoch_and_the_rates_every_step():
    trained = train_head(toy_features(1), None, classes=CLASSES, settings=SETTINGS, seed=7)
    assert [entry["epoch"] for entry in trained.history] == list(range(1, 31))
    assert trained.history[0]["validation_loss"] is None
    assert len(trained.rates) == 30 * 4  # 120 features in steps of 32
    assert trained.rates[0] == pytest.approx(1e-2)
    assert trained.rates[-1] < 1e-5


def test_the_same_seed_gives_the_same_head():
    heads = [
        train_head(toy_features(1), None, classes=CLASSES, settings=SETTINGS, seed=seed).head for seed in (7, 7, 8)
    ]
    assert np.array_equal(heads[0].weight, heads[1].weight)
    assert not np.array_equal(heads[0].weight, heads[2].weight)


def test_the_length_of_a_feature_is_of_no_account():
    head = LinearHead(np.ones((2, 3), dtype=np.float32), np.zeros(2, dtype=np.float32))
    features = np.array([[1.0, 2.0, 2.0]], dtype=np.float32)
    assert head.logits(features) == pytest.approx(head.logits(9 * features))
    assert np.linalg.norm(unit(features)) == pytest.approx(1.0)


def test_a_feature_that_never_changes_does_no_harm():
    seen = toy_features(1)
    seen.features[:, 5] = 0.0
    trained = train_head(seen, None, classes=CLASSES, settings=SETTINGS, seed=7)
    assert np.isfinite(trained.head.weight).all()
