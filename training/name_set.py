"""What a zero-shot recipe's data come to: candidates, the photographs of each split, and those never trained on.

Owns the choice of photographs and the candidates, which are the expert's classes and the other
species of the manifest. It does not open pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.dataset import NO_LABEL, place_of, read_kin
from training.photo_set import list_photos
from training.photos import EXPERT, NON_FISH, OTHER_SPECIES, Photo, of_source
from training.recipe import Data, ZeroShotRecipe, project_path
from training.species import Candidates, candidates_of
from training.splits import Fractions, Split, Splits, split_by_group
from training.taxa import read_expert_taxa, read_fish_facts
from training.twin_guard import kin_of, strangers, without_twins


@dataclass(frozen=True)
class NameSet:
    """Photographs by use, and the names that they may have.

    ``foreign`` show classes of the expert but are of sources that are for testing only, or show no fish.
    """

    folder: Path
    splits: Splits
    foreign: list[Photo]
    candidates: Candidates

    def label_of(self, photo: Photo) -> int:
        """Return the right output for a photograph, ``NO_LABEL`` if there is none."""
        return self.candidates.index_of.get(photo.subject.casefold(), NO_LABEL)


def gather_names(recipe: ZeroShotRecipe) -> NameSet:
    """Read, choose and split the photographs; with the expert's seed and fractions the same are kept back.

    Raises ValueError for data without groups, taxonomy or training sources.
    """
    data = recipe.data
    _check(data, list_photos(place_of(data))[1])
    photos, folder, kin = read_kin(data)
    chosen = of_source(photos, EXPERT, *data.sources) + of_source(photos, OTHER_SPECIES)
    fractions = Fractions(validation=data.validation, calibration=data.calibration, test=data.test)
    splits = split_by_group(chosen, seed=recipe.seed, fractions=fractions, training_sources=data.sources)
    splits = without_twins(splits, kin)
    foreign = strangers(_foreign(photos, data), kin, kin_of(splits[Split.TRAIN], kin))
    return NameSet(folder, splits, foreign, _candidates(recipe, photos))


def _check(data: Data, photos: Sequence[Photo]) -> None:
    if data.folders is not None or data.taxonomy is None or not data.sources:
        raise ValueError("data: a zero-shot recipe needs manifest, taxonomy and sources")
    if data.classes or data.folds:
        raise ValueError("data: a zero-shot recipe knows neither classes nor folds")
    if not all(photo.group for photo in photos):
        raise ValueError("data: the manifest must give each photograph its group, as training/audit finds them")


def _foreign(photos: Sequence[Photo], data: Data) -> list[Photo]:
    other_sources = [photo for photo in of_source(photos, EXPERT) if photo.source not in data.sources]
    return other_sources + of_source(photos, NON_FISH)


def _candidates(recipe: ZeroShotRecipe, photos: Sequence[Photo]) -> Candidates:
    assert recipe.data.taxonomy is not None  # checked before
    expert_taxa = read_expert_taxa(project_path(recipe.data.taxonomy))
    subjects = [photo.subject for photo in of_source(photos, OTHER_SPECIES)]
    return candidates_of(expert_taxa, subjects, read_fish_facts(project_path(recipe.species)))
