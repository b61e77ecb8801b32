"""Where the pictures trained on lie in feature space: fitted, and stored beside the weights.

Owns the fit and the file. How far a picture lies from the nearest of them, ``fishgate.gate_score`` says.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from fishgate.gate_score import POINTS, WHITENING, Geometry
from fishgate.model_card import Weights

GEOMETRY_FILE = "features.safetensors"

DIRECTIONS = 128
"""Feature space is measured along this many directions of greatest variance: the others hold little but noise."""

POINTS_OF_CLASS = 100
"""Of each class at most this many pictures are stored, so that 40 classes take a megabyte."""

SHRINKAGE = 0.1
"""Share of a round covariance that is mixed into the one seen: a direction in which few pictures happen to
vary little must not dominate the distance."""

_LEAST_VARIANCE = 1e-9  # of a network whose features never vary, so that nothing is divided by 0

Floats = NDArray[np.float64]


def fit_geometry(features: NDArray[np.float32], labels: NDArray[np.int64], *, seed: int) -> Geometry:
    """Fit the geometry to features (N, D) and labels (N,) of the pictures trained on, in half precision.

    In the ``DIRECTIONS`` of greatest variance the covariance within the classes is made round, as for the
    Mahalanobis distance (Lee et al., "A simple unified framework for detecting out-of-distribution samples
    and adversarial attacks", 2018). Raises ValueError without pictures.
    """
    if not len(features):
        raise ValueError("there are no pictures to measure feature space by; give those trained on")
    vectors = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    directions = _main_directions(vectors)  # (D, R)
    projected = vectors @ directions
    whitening = _whitening(projected - _means(projected, labels)[labels])  # (R, R)
    points = (projected @ whitening)[_few_of_each(labels, seed=seed)]
    return Geometry(whitening=(directions @ whitening).astype(np.float16), points=points.astype(np.float16))


def geometry_bytes(geometry: Geometry) -> bytes:
    """Return the geometry as the safetensors file that a pack holds."""
    return save({WHITENING: geometry.whitening, POINTS: geometry.points})


def named(geometry: Geometry) -> Weights:
    """Return the name and the hash by which a gate's rule refers to the geometry."""
    return Weights(file=GEOMETRY_FILE, sha256=hashlib.sha256(geometry_bytes(geometry)).hexdigest())


def save_geometry(geometry: Geometry, folder: Path) -> None:
    """Write the geometry into a pack's folder."""
    (folder / GEOMETRY_FILE).write_bytes(geometry_bytes(geometry))


def _main_directions(vectors: NDArray[np.float32]) -> Floats:
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)  # columns, least variance first
    return np.asarray(directions[:, ::-1][:, :DIRECTIONS])


def _means(projected: Floats, labels: NDArray[np.int64]) -> Floats:
    """Return the mean of each class, up to the greatest label: (classes, R); of a class without pictures, 0."""
    sums = np.zeros((labels.max() + 1, projected.shape[1]))
    np.add.at(sums, labels, projected)
    return np.asarray(sums / np.maximum(np.bincount(labels), 1)[:, None])


def _whitening(deviations: Floats) -> Floats:
    """Return what makes deviations from the class means (N, R) round, of variance 1: (R, R)."""
    covariance = deviations.T @ deviations / len(deviations)
    size = len(covariance)
    spread = np.trace(covariance) / size
    variances, axes = np.linalg.eigh((1.0 - SHRINKAGE) * covariance + SHRINKAGE * spread * np.eye(size))
    return np.asarray(axes / np.sqrt(np.maximum(variances, _LEAST_VARIANCE)))


def _few_of_each(labels: NDArray[np.int64], *, seed: int) -> NDArray[np.int64]:
    """Return the places of at most ``POINTS_OF_CLASS`` pictures of each class, drawn by chance."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    of_class = [shuffled[labels[shuffled] == label][:POINTS_OF_CLASS] for label in np.unique(labels)]
    return np.concatenate(of_class)
