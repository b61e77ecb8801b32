"""Which pictures a threshold is certified on, and which it is planned on: those of a run, or an operator's own.

Owns that the two are apart: no group is in both. It chooses nothing.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fishgate.model_card import CARD_FILE, Kind, ModelCard, fingerprint_of, write_card
from training.dataset import NO_LABEL, place_of
from training.photo_set import list_photos, read_photo_set
from training.photos import EXPERT, Photo
from training.predictions import Predictions, predictions_of, read_predictions
from training.recipe import ClassifierRecipe, project_path
from training.run_folder import RunFolder
from training.splits import Split
from training.taxa import index_of_labels

PLAN_SHARE = 0.2
"""The share of the groups of an operator's pictures that the thresholds are planned on, and nothing else."""


@dataclass(frozen=True)
class CalibrationPictures:
    """What the model says of the pictures for planning, of those for calibrating, and of others to measure on.

    ``photos`` is the folder that their paths start from, ``packs`` are the folders whose cards are to be
    written, the first that which was asked. ``test`` may be without pictures.
    """

    plan: Predictions
    calibration: Predictions
    test: Predictions
    photos: Path
    packs: tuple[Path, ...]


def read_pack_card(pack: Path) -> ModelCard:
    """Read an expert's card without its certificate, which may be of before a change; raise ValueError for others."""
    card = ModelCard.model_validate_json((pack / CARD_FILE).read_bytes())
    if card.kind is not Kind.EXPERT:
        raise ValueError(f"{pack.name} is a pack of kind {card.kind.value!r}; only an expert's gate is certified")
    return card.model_copy(update={"gate": card.gate.model_copy(update={"certificate": None})})


def drop_stale_certificate(pack: Path) -> None:
    """Take a certificate that was given to another model out of a card, with which nothing would load the pack."""
    whole = ModelCard.model_validate_json((pack / CARD_FILE).read_bytes())
    certificate = whole.gate.certificate
    if certificate and certificate.model_sha256 != fingerprint_of(whole):
        write_card(read_pack_card(pack), pack)


def of_run(run: RunFolder) -> CalibrationPictures:
    """Take the validation, calibration and test splits of a finished run; raise ValueError if one is empty."""
    recipe = run.read_recipe()
    if not isinstance(recipe, ClassifierRecipe):
        raise ValueError(f"{run.path.name} is a run of kind {recipe.kind!r}; only a 'classifier' has a gate to certify")
    predictions = read_predictions(run.predictions)
    plan, calibration, test = (
        predictions.of(split.value) for split in (Split.VALIDATION, Split.CALIBRATION, Split.TEST)
    )
    for name, part in (("validation", plan), ("calibration", calibration)):
        if not len(part):
            raise ValueError(f"the run kept no photographs back for {name}; set data.{name} above 0 and run it again")
    photos, _ = list_photos(place_of(recipe.data))
    output = (project_path(recipe.output.pack),) if recipe.output.pack else ()
    return CalibrationPictures(plan, calibration, test, photos, (run.pack, *output))


def of_photos(pack: Path, place: Path, *, seed: int) -> CalibrationPictures:
    """Identify an operator's pictures, in class folders or a manifest; near-duplicates are of one group.

    A picture of a class that the model does not know counts as wrong, whatever is answered. The model must
    not have been trained on these pictures; nobody can tell but the operator.
    """
    found = read_photo_set(place)
    labelled = _Labelled(found.folder, index_of_labels(read_pack_card(pack).taxa))
    parts = _apart(found.photos, seed=seed)
    predictions = predictions_of(pack, labelled, parts)
    plan, calibration, test = (
        predictions.of(split.value) for split in (Split.VALIDATION, Split.CALIBRATION, Split.TEST)
    )
    return CalibrationPictures(plan, calibration, test, found.folder, (pack,))


@dataclass(frozen=True)
class _Labelled:
    """Pictures in a folder, labelled by the model's own names."""

    folder: Path
    index_of: Mapping[str, int]

    def label_of(self, photo: Photo) -> int:
        return self.index_of.get(photo.subject.casefold(), NO_LABEL) if photo.domain == EXPERT else NO_LABEL


def _apart(photos: Sequence[Photo], *, seed: int) -> dict[str, list[Photo]]:
    groups = sorted({photo.group for photo in photos})
    random.Random(seed).shuffle(groups)
    planned = set(groups[: max(1, round(PLAN_SHARE * len(groups)))])
    return {
        Split.VALIDATION.value: [photo for photo in photos if photo.group in planned],
        Split.CALIBRATION.value: [photo for photo in photos if photo.group not in planned],
    }
