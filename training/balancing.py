"""How often each training picture is shown in one pass, so that no class drowns or starves.

Owns the plan of a pass over the pictures. It knows labels only; what makes a repeated picture a new
one is ``training.augment``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def plan(labels: NDArray[np.int64], *, least: int, most: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the rows to show in this epoch, shuffled; a class of n pictures is shown max(least, min(n, most)) times.

    A class below ``least`` repeats its pictures, each as often as the others or once more, and each
    time augmented anew. A class above ``most`` shows a part, and the next epoch goes on where this
    one ended: all its pictures have been seen after n / most epochs, rounded up. Raises ValueError
    unless 1 ≤ least ≤ most.
    """
    if not 1 <= least <= most:
        raise ValueError(f"cannot balance to at least {least} and at most {most}; allowed: 1 ≤ least ≤ most")
    parts = [_shown(np.flatnonzero(labels == label), least, most, seed, epoch) for label in np.unique(labels)]
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
    np.random.default_rng([seed, epoch]).shuffle(rows)
    return rows


def class_counts(labels: NDArray[np.int64], names: Sequence[str]) -> dict[str, int]:
    """Return the number of pictures of each class by name, in the order of ``names``; absent classes count 0."""
    counts = np.bincount(labels, minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True)}


def _shown(rows: NDArray[np.int64], least: int, most: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return this epoch's stretch of an endless walk round the class's pictures in a fixed random order."""
    order = np.random.default_rng([seed, int(rows[0])]).permutation(rows)
    shown = max(least, min(len(rows), most))
    return np.asarray(order[(epoch * shown + np.arange(shown)) % len(rows)], dtype=np.int64)
