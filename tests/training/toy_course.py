"""A network and examples so small that a course of training takes a blink."""

from __future__ import annotations

from typing import Any

import numpy as np

from fishgate.model_card import Library
from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode
from training.backbones import ClassifierLearner, learner_from
from training.course import Course, Sampling, by_roots
from training.pictures import Examples, InMemory
from training.recipe import Network, Stage

SIDE_PX = 16
PREPROCESSING = Preprocessing(
    width_px=SIDE_PX,
    height_px=SIDE_PX,
    resize_mode=ResizeMode.SQUASH,
    interpolation=Interpolation.BILINEAR,
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
)


def toy_learner(**changed: Any) -> ClassifierLearner:
    """Return the project's own small network for two classes."""
    return learner_from(Network(library=Library.FISHGATE, name="small_cnn", **changed), classes=2)


def toy_examples(count: int = 18, *, seed: int = 1) -> Examples:
    """Return dark and light pictures, labels 0 and 1 in turn."""
    chance = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    pixels = chance.integers(0, 100, (count, SIDE_PX, SIDE_PX, 3)) + 150 * labels[:, None, None, None]
    return Examples(InMemory(pixels.astype(np.uint8)), labels)


def toy_stage(name: str = "whole", **changed: Any) -> Stage:
    """Return a stage of two passes over both parts."""
    return Stage(**{"name": name, "epochs": 2, "batch": 8, "head_rate": 1e-2, "backbone_rate": 1e-2} | changed)


def toy_course(*stages: Stage, **changed: Any) -> Course:
    """Return a course over the toy examples on the CPU."""
    train = toy_examples()
    given = {
        "stages": stages,
        "train": train,
        "validation": toy_examples(8, seed=2),
        "preprocessing": PREPROCESSING,
        "sampling": by_roots(train.labels),
        "key": "toy",
        "device": "cpu",
    }
    return Course(**given | changed)


def in_order(count: int) -> Sampling:
    """Show each example once, in order."""
    return Sampling(count, lambda _: np.arange(count))
