"""What a recipe's data come to: the photographs of each split, the labels, and those never trained on.

Owns the choice of photographs by source, class and domain, and the labels in output order, whose
number comes from the data. It does not open pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from fishgate.taxonomy import Taxon
from training.exposure import exposed_photos
from training.near_duplicates import find_twins
from training.photo_set import grouped, list_photos
from training.photos import EXPERT, Photo, of_source
from training.recipe import Data, GateStudy, OutlierExposure, project_path
from training.splits import MIN_GROUPS, Fractions, Split, Splits, folds_by_group, split_by_group
from training.taxa import index_of_labels, read_expert_taxa
from training.twin_guard import Kin, kin_of, strangers, without_twins

NO_LABEL = -1
"""The label of a photograph that no class fits."""


@dataclass(frozen=True)
class Dataset:
    """Photographs by use. ``foreign`` are of the same classes but other sources, or of no class at all.

    ``exposed`` are of no class too, but shown in training.
    """

    folder: Path
    splits: Splits
    foreign: list[Photo]
    taxa: tuple[Taxon, ...]
    exposed: tuple[Photo, ...] = ()

    @cached_property
    def index_of(self) -> Mapping[str, int]:
        """The output of each label by its casefolded name."""
        return index_of_labels(self.taxa)

    def label_of(self, photo: Photo) -> int:
        """Return the right output for a photograph, ``NO_LABEL`` if there is none."""
        return self.index_of[photo.subject.casefold()] if photo.domain == EXPERT else NO_LABEL


def gather(data: Data, gate: GateStudy, *, seed: int, exposure: OutlierExposure | None = None) -> Dataset:
    """Read, choose and split the photographs; raise ValueError where nothing is left to train on."""
    photos, folder, kin = read_kin(data)
    chosen = _chosen(photos, data)
    taxa = _taxa(chosen, data)
    splits = split_by_group(chosen, seed=seed, fractions=_fractions(data), training_sources=data.sources)
    splits = without_twins(splits, kin)
    _check_filled(splits, data)
    exposed = _exposed(photos, data, gate, exposure, seed=seed)
    shown = kin_of([*splits[Split.TRAIN], *exposed], kin)
    return Dataset(folder, splits, strangers(_foreign(photos, chosen, gate), kin, shown), taxa, exposed)


def gather_folds(data: Data, *, seed: int) -> list[Dataset]:
    """Split the photographs into the recipe's folds: one data set for each, which tests its own part."""
    photos, folder, kin = read_kin(data)
    chosen = _chosen(photos, data)
    folds = folds_by_group(
        chosen, folds=data.folds, seed=seed, fractions=_fractions(data), training_sources=data.sources
    )
    return [Dataset(folder, without_twins(splits, kin), [], _taxa(chosen, data)) for splits in folds]


def place_of(data: Data) -> Path:
    """Return the manifest or the class folders that a recipe names."""
    place = data.manifest or data.folders
    assert place is not None  # the record has seen to it
    return project_path(place)


def read_kin(data: Data) -> tuple[list[Photo], Path, Kin]:
    """Read the photographs, the folder of their paths, and which of them are near-duplicates.

    A photograph without a group gets that of its near-duplicates.
    """
    folder, photos = list_photos(place_of(data))
    joined = grouped(photos, find_twins([photo.path for photo in photos], folder))
    kin = {photo.path: photo.group for photo in joined}
    given = {photo.path: photo.group for photo in photos}
    return [replace(photo, group=given[photo.path] or photo.group) for photo in joined], folder, kin


def _chosen(photos: Sequence[Photo], data: Data) -> list[Photo]:
    """Return the photographs that may train, be watched, calibrate or test."""
    photos = of_source(photos, EXPERT, *data.sources)
    wanted = {name.casefold() for name in data.classes}
    unknown = wanted - {photo.subject.casefold() for photo in photos}
    if unknown:
        seen = ", ".join(sorted({photo.subject for photo in photos}))
        raise ValueError(f"data.classes: there are no photographs of {sorted(unknown)[0]!r}; there are: {seen}")
    photos = [photo for photo in photos if not wanted or photo.subject.casefold() in wanted]
    if len({photo.subject.casefold() for photo in photos}) < 2:
        raise ValueError(f"data: {len(photos)} photographs of fewer than two classes; check data.sources")
    return photos


def _taxa(photos: Sequence[Photo], data: Data) -> tuple[Taxon, ...]:
    """Return the classes in output order: that of the taxonomy, or of the alphabet without one."""
    subjects = {photo.subject.casefold(): photo.subject for photo in sorted(photos, key=lambda photo: photo.subject)}
    if data.taxonomy is None:
        return tuple(Taxon(label=subjects[name]) for name in sorted(subjects))
    taxa = [taxon for taxon in read_expert_taxa(project_path(data.taxonomy)) if taxon.label.casefold() in subjects]
    unknown = subjects.keys() - {taxon.label.casefold() for taxon in taxa}
    if unknown:
        raise ValueError(f"{data.taxonomy.name} does not list the class {subjects[sorted(unknown)[0]]!r}; add it there")
    return tuple(taxa)


def _check_filled(splits: Splits, data: Data) -> None:
    """Raise ValueError before the training, not after it, if nothing was kept back to measure by."""
    for split in (Split.VALIDATION, Split.CALIBRATION, Split.TEST):
        if getattr(data, split.value) and not splits[split]:
            raise ValueError(
                f"data.{split.value} is {getattr(data, split.value)}, but the split is empty: each class has under "
                f"{MIN_GROUPS} groups of near-duplicates; add photographs, or set the fraction to 0"
            )


def _foreign(photos: Sequence[Photo], chosen: Sequence[Photo], gate: GateStudy) -> list[Photo]:
    sources = {photo.source for photo in chosen}
    subjects = {photo.subject.casefold() for photo in chosen}
    return [
        photo
        for photo in photos
        if (photo.domain == EXPERT and photo.source not in sources and photo.subject.casefold() in subjects)
        or (photo.domain in gate.outliers and photo.subject not in gate.known_outliers)
    ]


def _exposed(
    photos: Sequence[Photo], data: Data, gate: GateStudy, exposure: OutlierExposure | None, *, seed: int
) -> tuple[Photo, ...]:
    if exposure is None:
        return ()
    fractions = _fractions(data)
    return tuple(exposed_photos(photos, exposure, fractions=fractions, seed=seed, fits_a_class=gate.known_outliers))


def _fractions(data: Data) -> Fractions:
    return Fractions(validation=data.validation, calibration=data.calibration, test=data.test)
