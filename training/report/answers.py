"""The answers of a model to photographs that it was not trained on, as the report needs them.

Owns the record, its parts, and the reading of ``predictions.npz``. It asks for fewer arrays than
``training.predictions`` writes, so that a run of any kind can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.str_]
Flags = NDArray[np.bool_]

_ARRAYS = ("path", "source", "domain", "split", "label", "logits")
_NO_LABEL = -1


@dataclass(frozen=True)
class Answers:
    """What the model says of each photograph, one row a photograph.

    ``labels`` are -1 where no label fits; ``logits`` (N, labels) are at temperature 1; ``features``
    (N, D) are what the last layer reads, None where the run does not keep them.
    """

    paths: Texts
    sources: Texts
    domains: Texts
    splits: Texts
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    features: NDArray[np.float32] | None

    @property
    def named(self) -> NDArray[np.int64]:
        """The number of the first name."""
        return np.asarray(self.logits.argmax(axis=1))

    @property
    def is_right(self) -> Flags:
        """Whether the first name is the right one; where no label fits, none is."""
        return np.asarray(self.named == self.labels)

    @property
    def has_label(self) -> Flags:
        """Whether one of the labels fits."""
        return np.asarray(self.labels != _NO_LABEL)

    def of_split(self, *splits: str) -> Flags:
        """Which photographs are of one of these splits."""
        return np.isin(self.splits, splits)

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Return the softmax of the logits at a temperature: (N, labels)."""
        scaled = self.logits.astype(np.float64) / temperature
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def part(self, chosen: Flags) -> Answers:
        """Return some of the photographs."""
        return Answers(
            self.paths[chosen],
            self.sources[chosen],
            self.domains[chosen],
            self.splits[chosen],
            self.labels[chosen],
            self.logits[chosen],
            None if self.features is None else self.features[chosen],
        )


def read_answers(path: Path) -> Answers:
    """Read the file; raise ValueError if an array is missing."""
    with np.load(path, allow_pickle=False) as arrays:
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise ValueError(
                f"{path.name} has no array {missing[0]!r}; needed are {', '.join(_ARRAYS)}, 'features' is optional"
            )
        features = arrays["features"].astype(np.float32) if "features" in arrays else None
        paths, sources, domains, splits, labels, logits = (arrays[name] for name in _ARRAYS)
        return Answers(paths, sources, domains, splits, labels, logits, features)
