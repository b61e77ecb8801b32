"""One network is trained: from a recipe and its photographs to a pack, which has no gate yet.

Owns how a recipe's settings become a course of training, and the first card. What is done with the
finished pack is said by ``training.expert``.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fishgate.model_card import CARD_FILE, Architecture, Kind, ModelCard
from training import balancing, pack
from training.backbones import ClassifierLearner, learner_from
from training.background import Background, cut_out
from training.checkpoint import training_key
from training.course import Course, Sampling, by_balance, by_roots
from training.dataset import Dataset
from training.exposure import Outliers
from training.photos import Photo
from training.pictures import CutOut, Examples, Pictures, pictures_of
from training.recipe import ClassifierRecipe, project_path
from training.run_folder import RunFolder, write_json
from training.splits import Split
from training.stages import run_stages
from training.start_weights import start_facts


def train_classifier(recipe: ClassifierRecipe, dataset: Dataset, run: RunFolder) -> None:
    """Train the recipe's network and write its pack, without a gate; nothing is done if the pack is there."""
    if (run.pack / CARD_FILE).exists():
        print(f"{run.path.name}: the training is done, its pack is there", flush=True)
        return
    seed_all(recipe.seed)
    learner = learner_from(recipe.network, classes=len(dataset.taxa))
    run_stages(learner, _course(recipe, dataset, run), run)
    _write_pack(recipe, dataset, learner, run)
    run.checkpoint.unlink(missing_ok=True)


def seed_all(seed: int) -> None:
    """Make the training take the same chances each time."""
    random.seed(seed)
    torch.manual_seed(seed)


def _course(recipe: ClassifierRecipe, dataset: Dataset, run: RunFolder) -> Course:
    preprocessing = recipe.picture.preprocessing()
    photos, validation = dataset.splits[Split.TRAIN], dataset.splits[Split.VALIDATION]
    labels = _labels(dataset, photos)
    sampling = _sampling(recipe, labels)
    _write_classes(dataset, labels, sampling, run)
    watched = pictures_of(validation, dataset.folder, preprocessing) if validation else None
    return Course(
        stages=recipe.stages,
        train=Examples(training_pictures(recipe, dataset, run), labels),
        validation=Examples(watched, _labels(dataset, validation)) if watched else None,
        preprocessing=preprocessing,
        sampling=sampling,
        key=training_key(recipe, *(photo.path for photo in photos)),
        strength=recipe.augmentation,
        patience=recipe.early_stopping.patience if recipe.early_stopping else None,
        outliers=_outliers(recipe, dataset),
    )


def _outliers(recipe: ClassifierRecipe, dataset: Dataset) -> Outliers | None:
    exposure, photos = recipe.outlier_exposure, list(dataset.exposed)
    if exposure is None:
        return None
    if not photos:
        raise ValueError(f"outlier_exposure: there are no photographs of {', '.join(exposure.domains)} to show")
    pictures = pictures_of(photos, dataset.folder, recipe.picture.preprocessing())
    return Outliers(pictures, len(photos), exposure.batch, exposure.weight)


def _sampling(recipe: ClassifierRecipe, labels: NDArray[np.int64]) -> Sampling:
    return by_balance(labels, recipe.balance, seed=recipe.seed) if recipe.balance else by_roots(labels)


def training_pictures(recipe: ClassifierRecipe, dataset: Dataset, run: RunFolder) -> Pictures:
    """Decode the training photographs; where the recipe says so, some lose their background."""
    preprocessing, photos = recipe.picture.preprocessing(), dataset.splits[Split.TRAIN]
    pictures = pictures_of(photos, dataset.folder, preprocessing)
    if recipe.background is None:
        return pictures
    form, sign, path = recipe.background.session.partition(":")
    session = f"{form}:{project_path(Path(path))}" if sign else form
    wanted = Background(recipe.background.fraction, session)
    masks = run.path / "masks"
    cutouts = cut_out(photos, dataset.folder, preprocessing, background=wanted, seed=recipe.seed, cache=masks)
    return CutOut(pictures, cutouts)


def _labels(dataset: Dataset, photos: list[Photo]) -> NDArray[np.int64]:
    return np.array([dataset.label_of(photo) for photo in photos], dtype=np.int64)


def _write_classes(dataset: Dataset, labels: NDArray[np.int64], sampling: Sampling, run: RunFolder) -> None:
    names = [taxon.label for taxon in dataset.taxa]
    chance = torch.get_rng_state()  # what is shown here must not change what is trained on
    shown = labels[sampling.rows(0)]
    torch.set_rng_state(chance)
    counts = {"before": balancing.class_counts(labels, names), "after": balancing.class_counts(shown, names)}
    write_json(run.classes, {"labels": names, **counts})


def _write_pack(recipe: ClassifierRecipe, dataset: Dataset, learner: ClassifierLearner, run: RunFolder) -> None:
    """Write the weights, then the card, whose presence says that the training is done."""
    history: list[dict[str, Any]] = json.loads(run.history.read_text())
    start = start_facts(recipe.network)
    facts = pack.training_facts(recipe, dataset.splits, start=start, history=history, exposed=dataset.exposed)
    facts["versions"] = json.loads(run.versions.read_text())
    card = ModelCard(
        name="expert",
        version=recipe.version,
        kind=Kind.EXPERT,
        architecture=Architecture(library=recipe.network.library, name=recipe.network.name),
        weights=pack.save_weights(learner.network, run.pack),
        preprocessing=recipe.picture.preprocessing(),
        labels={str(i): taxon for i, taxon in enumerate(dataset.taxa)},
        gate=pack.NO_GATE,
        training=facts,
        metrics={},
        limits=recipe.card.limits,
        licence=recipe.card.licence,
    )
    pack.save_card(card, run.pack)
