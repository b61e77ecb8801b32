"""What is wrong with a data set as it was published: twins across its splits, and under two classes.

Owns the counts and the verdict. Which pictures are twins is found by ``training.near_duplicates``;
how the counts are shown is ``training.audit_table``'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.near_duplicates import USUAL, Kind, Limits, Pair, Twins, find_twins
from training.photo_set import PhotoSet, grouped, list_photos
from training.photos import Photo, Published


@dataclass(frozen=True)
class SplitFigures:
    """The readable pictures of a split; how many have a byte-identical copy, or any twin, in another split."""

    pictures: int
    with_copy: int
    with_twin: int


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    ``pictures`` are those listed, unreadable ones too. ``pairs`` and ``crossing`` count by kind;
    ``crossing`` are pairs across published splits. ``leaks`` and ``conflicts`` name these pairs and
    those under two classes. ``splits`` is empty where none is published.
    """

    name: str
    pictures: int
    classes: int
    groups: int
    unreadable: Mapping[str, str]
    pairs: Mapping[Kind, int]
    crossing: Mapping[Kind, int]
    splits: Mapping[Published, SplitFigures]
    leaks: tuple[Pair, ...]
    conflicts: tuple[Pair, ...]

    @property
    def is_clean(self) -> bool:
        """Whether no picture has a twin in another split or class."""
        return not self.leaks and not self.conflicts

    @property
    def verdict(self) -> str:
        """One line for people."""
        found = [text for text in (self._leak_text(), self._conflict_text()) if text]
        if found:
            return f"NOT CLEAN: {'; '.join(found)}."
        if not self.splits:
            return f"No split is published; split by the {self.groups} groups, not by the {self.pictures} pictures."
        return "Clean: no picture has a twin in another split or class."

    def _leak_text(self) -> str:
        if not self.leaks:
            return ""
        judged = Published.TEST if Published.TEST in self.splits else Published.VALIDATION
        figures = self.splits[judged]
        return (
            f"{figures.with_twin} of {figures.pictures} {judged.value} pictures have a twin in another split "
            f"({figures.with_copy} byte-identical), so a score on them proves little"
        )

    def _conflict_text(self) -> str:
        return f"{len(self.conflicts)} pairs of twins stand under two classes" if self.conflicts else ""


def audit_place(place: Path, limits: Limits = USUAL) -> Audit:
    """Audit a manifest or class folders; raise ValueError as ``list_photos``, and if no picture can be read."""
    folder, photos = list_photos(place)
    twins = find_twins([photo.path for photo in photos], folder, limits)
    if not twins.paths:
        raise ValueError(f"none of the {len(photos)} pictures of {place.name} can be read")
    return audit(place.resolve().name, photos, twins)


def audit(name: str, photos: Sequence[Photo], twins: Twins) -> Audit:
    """Count what the twins among these photographs mean for their splits and classes."""
    of_path = {photo.path: photo for photo in photos}
    leaks = [pair for pair in twins.pairs if _crosses(of_path[pair.first], of_path[pair.second])]
    return Audit(
        name=name,
        pictures=len(photos),
        classes=len({photo.subject for photo in photos if photo.subject}),
        groups=len({photo.group for photo in grouped(photos, twins)}),
        unreadable=twins.unreadable,
        pairs=_by_kind(twins.pairs),
        crossing=_by_kind(leaks),
        splits=_split_figures([of_path[path] for path in twins.paths], leaks),
        leaks=tuple(leaks),
        conflicts=tuple(pair for pair in twins.pairs if of_path[pair.first].subject != of_path[pair.second].subject),
    )


def duplicates(photo_set: PhotoSet) -> dict[str, Any]:
    """Return what the folder of a run keeps of its data set's twins.

    ``crossing_published_split`` is the number of published test pictures with a twin in another
    published split, None where no test split was published.
    """
    found = audit(photo_set.folder.resolve().name, photo_set.photos, photo_set.twins)
    test = found.splits.get(Published.TEST)
    return {
        "pictures": found.pictures,
        "groups": found.groups,
        "crossing_published_split": test.with_twin if test else None,
        **{key: value for key, value in as_json(found).items() if key in ("unreadable", "pairs", "crossing", "splits")},
    }


def as_json(found: Audit) -> dict[str, Any]:
    """Return an audit as plain values, with its verdict."""
    plain = asdict(found)
    for key in ("pairs", "crossing", "splits"):
        plain[key] = {kind.value: value for kind, value in plain[key].items()}
    for key in ("leaks", "conflicts"):
        plain[key] = [pair | {"kind": pair["kind"].value} for pair in plain[key]]
    return plain | {"is_clean": found.is_clean, "verdict": found.verdict}


def _crosses(first: Photo, second: Photo) -> bool:
    return first.published is not None and second.published is not None and first.published != second.published


def _by_kind(pairs: Iterable[Pair]) -> dict[Kind, int]:
    counts = Counter(pair.kind for pair in pairs)
    return {kind: counts[kind] for kind in Kind}


def _split_figures(readable: Sequence[Photo], leaks: Sequence[Pair]) -> dict[Published, SplitFigures]:
    copies = {path for pair in leaks if pair.kind is Kind.IDENTICAL for path in (pair.first, pair.second)}
    twins = {path for pair in leaks for path in (pair.first, pair.second)}
    figures: dict[Published, SplitFigures] = {}
    for split in Published:
        paths = {photo.path for photo in readable if photo.published is split}
        if paths:
            figures[split] = SplitFigures(len(paths), len(paths & copies), len(paths & twins))
    return figures
