"""The answers of a run to photographs that it was not trained on, as ``predictions.npz`` holds them.

Owns the record, its parts, and the reading of the file.
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
class Predictions:
    """What the model says of photographs it was not trained on, one row a photograph.

    ``labels`` are -1 where no label fits; ``logits`` (N, labels) are at temperature 1; ``certainty``
    (N,) is what the gate reads, 0 to 1, None where the run does not tell it.
    """

    paths: Texts
    sources: Texts
    domains: Texts
    splits: Texts
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    certainty: NDArray[np.float64] | None

    @property
    def answers(self) -> NDArray[np.int64]:
        """The number of the first name."""
        return np.asarray(self.logits.argmax(axis=1))

    @property
    def is_right(self) -> Flags:
        """Whether the first name is the right one; where no label fits, none is."""
        return np.asarray(self.answers == self.labels)

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

    def part(self, chosen: Flags) -> Predictions:
        """Return some of the photographs."""
        return Predictions(
            self.paths[chosen],
            self.sources[chosen],
            self.domains[chosen],
            self.splits[chosen],
            self.labels[chosen],
            self.logits[chosen],
            None if self.certainty is None else self.certainty[chosen],
        )


def read_predictions(path: Path) -> Predictions:
    """Read the file; raise ValueError if an array is missing."""
    with np.load(path, allow_pickle=False) as arrays:
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise ValueError(
                f"{path.name} has no array {missing[0]!r}; needed are {', '.join(_ARRAYS)}, 'certainty' is optional"
            )
        certainty = arrays["certainty"].astype(np.float64) if "certainty" in arrays else None
        paths, sources, domains, splits, labels, logits = (arrays[name] for name in _ARRAYS)
        return Predictions(paths, sources, domains, splits, labels, logits, certainty)
