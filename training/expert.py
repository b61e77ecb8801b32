"""The whole way of an expert: data, training, predictions, gate, figures, report.

Owns the order of the steps; each step is another module's.
"""

from __future__ import annotations

from training.classifier import train_classifier
from training.dataset import Dataset, gather
from training.predictions import FOREIGN, Predictions, predictions_of
from training.recipe import ClassifierRecipe
from training.run_folder import RunFolder
from training.splits import Split

KEPT_BACK = (Split.VALIDATION, Split.CALIBRATION, Split.TEST)


def make_expert(recipe: ClassifierRecipe, run: RunFolder) -> None:
    """Train, if that is not done yet, and measure."""
    dataset = gather(recipe.data, recipe.gate, seed=recipe.seed, exposure=recipe.outlier_exposure)
    train_classifier(recipe, dataset, run)
    predict_kept_back(dataset, run)


def predict_kept_back(dataset: Dataset, run: RunFolder) -> Predictions:
    """Run the pack over all photographs that it was not trained on, and keep what it says."""
    parts = {split.value: dataset.splits[split] for split in KEPT_BACK} | {FOREIGN: dataset.foreign}
    return predictions_of(run.pack, dataset, parts, kept=run.predictions)
