"""What one pass of the expert over many photographs leaves behind for choosing its gate.

Owns the record and its checks; plain arrays, no model and no pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_LABEL = -1
"""The label of a picture that no class fits: whatever the expert answers is wrong."""


@dataclass(frozen=True)
class Evidence:
    """Pictures in one order: logits (N, labels) at temperature 1, features before the last layer (N, D),
    labels (N,) with ``NO_LABEL`` where no class fits, groups of like pictures (N,), which no fold divides,
    and domains of the manifest (N,).

    Raises ValueError if the lengths differ, or a label is none of the network's.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    domains: NDArray[np.str_]

    def __post_init__(self) -> None:
        lengths = {name: len(array) for name, array in vars(self).items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the arrays must describe the same pictures, their lengths are {lengths}")
        outside = self.labels[(self.labels < NO_LABEL) | (self.labels >= self.logits.shape[1])]
        if len(outside):
            raise ValueError(
                f"label {outside[0]} is none of {self.logits.shape[1]} outputs, nor {NO_LABEL} for no class"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def has_label(self) -> NDArray[np.bool_]:
        """Whether a class fits each picture: (N,)."""
        return np.asarray(self.labels != NO_LABEL)

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the first name of each picture is right: (N,)."""
        return np.asarray(self.logits.argmax(axis=1) == self.labels)

    def where(self, chosen: NDArray[np.bool_]) -> Evidence:
        """Return the pictures that are chosen (N,), in the same order."""
        return Evidence(*(array[chosen] for array in vars(self).values()))


def joined(*parts: Evidence) -> Evidence:
    """Return the pictures of all parts, one part after the other."""
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Evidence(*(np.concatenate(column) for column in columns))
