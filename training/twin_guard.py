"""No near-duplicate on two sides: what is measured must not be what was learnt, in another turn or crop.

Owns what happens to a photograph whose near-duplicate lies in another split, though the groups it was
given say nothing of it. Which photographs are near-duplicates is found by ``training.near_duplicates``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from training.photos import Photo
from training.splits import Split, Splits

Kin = Mapping[str, str]
"""The group of each photograph by its path, near-duplicates of other groups taken in."""


def without_twins(splits: Splits, kin: Kin) -> Splits:
    """Leave out of each kept-back split the photographs of which an earlier split has a near-duplicate.

    Earlier means train, then validation, then calibration. They are left out rather than moved, so
    that the training set hangs on the given groups alone.
    """
    seen: set[str] = set()
    parted: Splits = {}
    for split in Split:
        parted[split] = strangers(splits[split], kin, seen) if split is not Split.TRAIN else list(splits[split])
        seen |= kin_of(parted[split], kin)
    return parted


def strangers(photos: Sequence[Photo], kin: Kin, seen: set[str]) -> list[Photo]:
    """Return the photographs that have no near-duplicate among the groups ``seen``."""
    return [photo for photo in photos if kin[photo.path] not in seen]


def kin_of(photos: Iterable[Photo], kin: Kin) -> set[str]:
    """Return the groups of photographs, near-duplicates taken in."""
    return {kin[photo.path] for photo in photos}
