"""The whole way of an expert: data, training, predictions, gate, figures, report.

Owns the order of the steps; each step is another module's. All that follows the training can be done
again in the folder of a finished run.
"""

from __future__ import annotations

import random
import shutil
from typing import Any

from fishgate.model_card import ModelCard
from training import pack
from training.auditing import duplicates
from training.classifier import train_classifier, training_pictures
from training.dataset import NO_LABEL, Dataset, gather, gather_folds, place_of
from training.expert_figures import figures_of
from training.expert_gate import choose_gate
from training.photo_set import read_photo_set
from training.photos import EXPERT, Photo
from training.predictions import FOREIGN, GATE, TRAINING_FILE, Predictions, predictions_of
from training.recipe import ClassifierRecipe, project_path
from training.report.page import write_report
from training.run_folder import RunFolder, open_run, write_json
from training.samples import write_samples
from training.splits import Split

KEPT_BACK = (Split.VALIDATION, Split.CALIBRATION, Split.TEST)

Figures = dict[str, Any]


def make_expert(recipe: ClassifierRecipe, run: RunFolder) -> None:
    """Train, if that is not done yet, and do all that follows."""
    dataset = gather(recipe.data, recipe.gate, seed=recipe.seed, exposure=recipe.outlier_exposure)
    train_classifier(recipe, dataset, run)
    folds = {"folds": measure_folds(recipe, run)} if recipe.data.folds else {}
    finish_expert(recipe, dataset, run, metrics=folds)


def finish_expert(recipe: ClassifierRecipe, dataset: Dataset, run: RunFolder, *, metrics: Figures) -> ModelCard:
    """Give a trained pack its gate, its figures and its report; ``metrics`` go into the run's own figures."""
    predictions = predict_kept_back(recipe, dataset, run)
    trained = predictions_of(
        run.pack, dataset, {Split.TRAIN.value: dataset.splits[Split.TRAIN]}, kept=run.path / TRAINING_FILE
    )
    card = choose_gate(recipe, predictions, trained, run)
    figures = figures_of(card, predictions, run.pack)
    card = pack.save_card(card, run.pack, metrics=figures)
    write_json(run.metrics, figures | metrics)
    _write_facts(recipe, dataset, run)
    print(f"the report is {write_report(run)}", flush=True)
    if recipe.output.pack:
        shutil.copytree(run.pack, project_path(recipe.output.pack), dirs_exist_ok=True)
    return card


def predict_kept_back(recipe: ClassifierRecipe, dataset: Dataset, run: RunFolder) -> Predictions:
    """Run the pack over all photographs that it was not trained on, and keep what it says.

    Half of those that no class fits form the split ``GATE``, on which the gate may be fitted.
    """
    gate = gate_photos(dataset, seed=recipe.seed)
    in_gate = set(gate)
    parts = {split.value: dataset.splits[split] for split in KEPT_BACK}
    parts |= {GATE: gate, FOREIGN: [photo for photo in dataset.foreign if photo not in in_gate]}
    return predictions_of(run.pack, dataset, parts, kept=run.predictions)


def gate_photos(dataset: Dataset, *, seed: int) -> list[Photo]:
    """Return half of the photographs that no class fits, by group; none of a source that is for testing only."""
    test_only = {photo.source for photo in dataset.foreign if photo.domain == EXPERT}
    return [
        photo
        for photo in dataset.foreign
        if dataset.label_of(photo) == NO_LABEL
        and photo.source not in test_only
        and random.Random(f"gate {seed} {photo.group}").random() < 0.5
    ]


def measure_folds(recipe: ClassifierRecipe, run: RunFolder) -> Figures:
    """Train and test once for each fold, each in a folder of its own; return accuracies, mean and spread."""
    alone = recipe.model_copy(update={"data": recipe.data.model_copy(update={"folds": 0})})
    accuracies = []
    for number, dataset in enumerate(gather_folds(recipe.data, seed=recipe.seed), 1):
        folder = open_run(alone, run.path / f"fold-{number}")
        train_classifier(alone, dataset, folder)
        parts = {Split.TEST.value: dataset.splits[Split.TEST]}
        tested = predictions_of(folder.pack, dataset, parts, kept=folder.predictions)
        accuracies.append(round(float(tested.is_right.mean()), 4))
        print(f"fold {number} of {recipe.data.folds}: accuracy {accuracies[-1]:.4f}", flush=True)
    mean = sum(accuracies) / len(accuracies)
    variance = sum((accuracy - mean) ** 2 for accuracy in accuracies) / (len(accuracies) - 1)
    return {"accuracies": accuracies, "mean": round(mean, 4), "standard_deviation": round(variance**0.5, 4)}


def _write_facts(recipe: ClassifierRecipe, dataset: Dataset, run: RunFolder) -> None:
    """Write what the report tells of the data, if it is not there yet: both take a while."""
    if not run.duplicates.exists():
        write_json(run.duplicates, duplicates(read_photo_set(place_of(recipe.data))))
    if not run.augmented.exists():
        photos = dataset.splits[Split.TRAIN]
        write_samples(recipe, training_pictures(recipe, dataset, run), len(photos), run)
