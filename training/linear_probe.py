"""Kind linear_probe: what a CLIP model names without training, and what a linear head on its pictures reaches.

Owns the order of the steps: features, zero-shot baseline, head, figures, report. A stopped run goes
on from the kept features; the head itself takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from training import balancing
from training.dataset import Dataset, gather
from training.encoders import ClipEncoder, load_encoder
from training.features import FeatureCache, Features
from training.linear_head import LabelledFeatures, LinearHead, Trained, train_head, unit
from training.photos import Photo
from training.predictions import FOREIGN, Predictions, arranged, write_predictions
from training.probe_figures import probe_figures
from training.recipe import GateStudy, LinearProbeRecipe, project_path
from training.report.page import write_report
from training.run_folder import RunFolder, write_json
from training.splits import Split

HEAD_FILE = "head.safetensors"
ZERO_SHOT, PROBE = "zero_shot", "linear_probe"
TRAIN, VALIDATION, TEST = Split.TRAIN.value, Split.VALIDATION.value, Split.TEST.value
KEPT_BACK = (VALIDATION, Split.CALIBRATION.value, TEST, FOREIGN)


def run_linear_probe(recipe: LinearProbeRecipe, run: RunFolder) -> None:
    """Compute the features that are not kept yet, train the head, and measure it beside the baseline."""
    dataset = gather(recipe.data, GateStudy(), seed=recipe.seed)
    encoder = load_encoder(recipe.model, recipe.picture)
    print(f"encoder: {encoder.name}", flush=True)
    features = _features(recipe, dataset, encoder)
    labels = [taxon.label for taxon in dataset.taxa]
    texts = encoder.zero_shot_head(labels, recipe.prompts.templates)
    baseline = LinearHead(texts, np.zeros(len(texts), dtype=np.float32))
    trained = _train(recipe, dataset, features)
    _write_training(trained, dataset, encoder, run)
    answers = {name: _predictions(head, dataset, features) for name, head in _heads(baseline, trained).items()}
    write_predictions(run.predictions, answers[PROBE])
    facts = {"encoder": encoder.name, "templates": list(recipe.prompts.templates)}
    write_json(run.metrics, facts | probe_figures(answers, classes=len(labels)))
    _tell(answers)
    print(f"the report is {write_report(run)}", flush=True)


def _heads(baseline: LinearHead, trained: Trained) -> dict[str, LinearHead]:
    return {ZERO_SHOT: baseline, PROBE: trained.head}


def parts_of(dataset: Dataset) -> dict[str, list[Photo]]:
    """Return the photographs by what they are for; a part without any is left out."""
    parts = {split.value: photos for split, photos in dataset.splits.items()} | {FOREIGN: dataset.foreign}
    return {name: photos for name, photos in parts.items() if photos}


def _features(recipe: LinearProbeRecipe, dataset: Dataset, encoder: ClipEncoder) -> dict[str, Features]:
    cache = FeatureCache(project_path(recipe.cache))
    return {name: cache.features(photos, dataset.folder, encoder) for name, photos in parts_of(dataset).items()}


def _train(recipe: LinearProbeRecipe, dataset: Dataset, features: Mapping[str, Features]) -> Trained:
    labels = {name: _labels(dataset, photos) for name, photos in parts_of(dataset).items()}
    examples = {name: LabelledFeatures(features[name], labels[name]) for name in (TRAIN, VALIDATION) if name in labels}
    return train_head(
        examples[TRAIN],
        examples.get(VALIDATION),
        classes=len(dataset.taxa),
        settings=recipe.probe,
        seed=recipe.seed,
    )


def _labels(dataset: Dataset, photos: list[Photo]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([dataset.label_of(photo) for photo in photos], dtype=np.int64)


def _write_training(trained: Trained, dataset: Dataset, encoder: ClipEncoder, run: RunFolder) -> None:
    """Write what the training was, and the head with what it must know of its inputs."""
    labels = [taxon.label for taxon in dataset.taxa]
    counts = balancing.class_counts(_labels(dataset, dataset.splits[Split.TRAIN]), labels)
    write_json(run.history, trained.history)
    write_json(
        run.rates,
        {
            "step": list(range(len(trained.rates))),
            "head_rate": trained.rates,
            "backbone_rate": [0.0] * len(trained.rates),
        },
    )
    write_json(run.classes, {"labels": labels, "before": counts, "after": counts})
    metadata = {"labels": json.dumps(labels), "encoder": encoder.name, "encoder_sha256": encoder.key}
    save_file(asdict(trained.head), run.path / HEAD_FILE, metadata=metadata)


def _predictions(head: LinearHead, dataset: Dataset, features: Mapping[str, Features]) -> Predictions:
    parts = {name: photos for name, photos in parts_of(dataset).items() if name in KEPT_BACK}
    if not parts:
        raise ValueError("no photographs are kept back, so nothing can be measured; set data.test above 0")
    seen = unit(np.concatenate([features[name] for name in parts]))
    return arranged(dataset, parts, logits=head.logits(seen), features=seen, weights_sha256="")


def _tell(answers: Mapping[str, Predictions]) -> None:
    for name, predictions in answers.items():
        test = predictions.of(TEST)
        if len(test):
            print(f"{name}: accuracy {test.is_right.mean():.4f} on {len(test)} test photographs", flush=True)
