"""Several networks learn the same; the best by validation becomes an expert.

Owns the comparison: the table, the choice, and what of the chosen network's run becomes the whole run's.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

from fishgate.model_card import Kind, read_card
from training.class_scores import class_scores, confusion_matrix
from training.classifier import train_classifier
from training.dataset import Dataset, gather
from training.expert import finish_expert, predict_kept_back
from training.predictions import Predictions
from training.recipe import ClassifierRecipe, ComparedNetwork, ComparisonRecipe
from training.run_folder import RunFolder, open_run, write_json, write_text
from training.splits import Split

Row = dict[str, Any]

CHOSEN_BY = "validation_macro_f1"
SHARED_FILES = ("history.json", "rates.json", "classes.json", "predictions.npz", "training_predictions.npz")
"""What the whole run takes over from the run of the chosen network."""

_PLACES = 4


def compare(recipe: ComparisonRecipe, run: RunFolder) -> None:
    """Train each network that is not trained yet, tabulate, and make an expert of the best."""
    dataset = gather(recipe.data, recipe.gate, seed=recipe.seed)
    rows = [_row(recipe, network, dataset, run) for network in recipe.networks]
    best = max(rows, key=lambda row: float(row[CHOSEN_BY]))
    chosen = next(network for network in recipe.networks if network.shown == best["network"])
    print(f"chosen by {CHOSEN_BY}: {best['network']} ({best[CHOSEN_BY]:.4f})", flush=True)
    _write_tables(rows, run)
    _take_over(run.path / chosen.shown, run)
    metrics = {"networks": rows, "chosen": best["network"], "chosen_by": CHOSEN_BY}
    finish_expert(recipe.of(chosen).model_copy(update={"output": recipe.output}), dataset, run, metrics=metrics)


def table_text(rows: list[Row]) -> str:
    """Return the comparison as a Markdown table, one row a network."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _row(recipe: ComparisonRecipe, network: ComparedNetwork, dataset: Dataset, run: RunFolder) -> Row:
    own = recipe.of(network)
    print(f"{network.shown}: start {network.start}, {own.picture.size_px} px", flush=True)
    folder = open_run(own, run.path / network.shown)
    train_classifier(own, dataset, folder)
    predictions = predict_kept_back(own, dataset, folder)
    row = _described(own, network, folder) | _scores(predictions, classes=len(dataset.taxa))
    write_json(folder.metrics, row)
    told = (f"{name.replace('_', ' ')} {row[name]}" for name in ("validation_macro_f1", "accuracy", "macro_f1"))
    print(f"{network.shown}: {', '.join(told)}", flush=True)
    return row


def _described(own: ClassifierRecipe, network: ComparedNetwork, folder: RunFolder) -> Row:
    """Return what the figures of a network hang on: without it they cannot be compared."""
    history = json.loads(folder.history.read_text())
    weights = folder.pack / read_card(folder.pack, kind=Kind.EXPERT).weights.file
    return {
        "network": network.shown,
        "initialisation": network.start,
        "size_px": own.picture.size_px,
        "denoising": own.picture.denoising.method.value if own.picture.denoising else "none",
        "epochs": len(history),
        "minutes": round(sum(entry["seconds"] for entry in history) / 60, 1),
        "megabytes": round(weights.stat().st_size / 1e6, 1),
    }


def _scores(predictions: Predictions, *, classes: int) -> Row:
    validation, test = (_macro(predictions.of(split.value), classes) for split in (Split.VALIDATION, Split.TEST))
    return {"validation_accuracy": validation["accuracy"], CHOSEN_BY: validation["macro_f1"], **test}


def _macro(part: Predictions, classes: int) -> Row:
    """Return accuracy and the means over the classes; raise ValueError if the split is empty."""
    if not len(part):
        raise ValueError("networks are compared on validation and test photographs, and one of the splits is empty")
    scores = class_scores(confusion_matrix(part.label, part.logits.argmax(axis=1), classes=classes))
    figures = {
        "accuracy": float(part.is_right.mean()),
        "macro_precision": scores.macro(scores.precision),
        "macro_recall": scores.macro(scores.recall),
        "macro_f1": scores.macro(scores.f1),
    }
    return {name: round(value, _PLACES) for name, value in figures.items()}


def _write_tables(rows: list[Row], run: RunFolder) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(run.path / "comparison.csv", text.getvalue())
    write_text(run.path / "comparison.md", table_text(rows))
    print(table_text(rows), flush=True)


def _take_over(part: Path, run: RunFolder) -> None:
    for name in SHARED_FILES:
        if (part / name).exists():
            shutil.copyfile(part / name, run.path / name)
    shutil.copytree(part / "pack", run.pack, dirs_exist_ok=True)


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
