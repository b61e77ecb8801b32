"""A toy run: a run folder with all its files, made of drawn pictures and random answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fishgate.model_card import (
    Architecture,
    Certificate,
    Gate,
    GateRule,
    GateScore,
    Kind,
    Library,
    Measure,
    ModelCard,
    Weights,
    write_card,
)
from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode
from fishgate.taxonomy import Taxon
from training.report.samples import augmented_grid
from training.run_folder import RunFolder, write_json, write_text

LABELS = ["Trout", "Perch", "Goby", "<script>alert('Eel')</script>"]  # a data set may name its classes anyhow
TEMPERATURE, THRESHOLD = 1.6, 0.8
CERTIFICATE = Certificate(
    risk=0.02,
    confidence=0.95,
    method="fixed sequence of binomial tests",
    pictures=600,
    accepted=480,
    wrong=3,
    coverage=0.8,
    data_sha256="a" * 64,
    model_sha256="b" * 64,
)
RULE = GateRule(score=GateScore.LEARNED, intercept=-0.5, weights={Measure.LOG_ODDS: 0.75, Measure.ENTROPY: -0.2})
VERSIONS = {"python": "3.11.9", "torch": "2.11.0", "rembg": None, "commit": "0123456789ab", "cores": 2}
DUPLICATES = {"pictures": 1500, "groups": 1200, "crossing_published_split": 321}
NETWORKS = [
    {"name": "mobilenet_v2", "accuracy": 0.9312, "macro_f1": 0.9101},
    {"name": "vgg16", "accuracy": 0.8804, "macro_f1": None},
]
FOLDS = {"accuracies": [0.91, 0.93, 0.92], "mean": 0.92, "standard_deviation": 0.01}
METHOD = {
    "photographs": 40,
    "accuracy": 0.75,
    "accuracy_interval": [0.598, 0.858],
    "accuracy_top_5": 0.9,
    "macro_f1": 0.7312,
}
METHODS = {
    "zero_shot": {"all_kept_back": METHOD, "kept_back": {}, "never_trained_sources": {"bd20": METHOD}},
    "linear_probe": {"all_kept_back": {}, "kept_back": {}, "never_trained_sources": {"bd20": METHOD}},
}
METRICS = {
    "networks": NETWORKS,
    "chosen": "mobilenet_v2",
    "folds": FOLDS,
    "methods": METHODS,
    "encoder": "ViT-T",
    "templates": ["a photo of a {}."],
}
RECIPE = """kind = "classifier"
name = "toy"
version = "toy-3"
seed = 11

[data]
manifest = "{photos}/manifest.csv"
sources = ["kaggle31"]

[picture]
size_px = 32

[network]
library = "torchvision"
name = "mobilenet_v2"

[[stages]]
name = "head"
epochs = 2

[[stages]]
name = "whole"
epochs = 6
head_rate = 2e-4
backbone_rate = 2e-5
schedule = "cosine"
"""


@dataclass(frozen=True)
class Part:
    """Some pictures of one source, and how often and how surely they are answered right."""

    split: str
    domain: str
    source: str
    pictures: int
    right_fraction: float = 0.0
    surety: float = 6.0  # how far the first logit stands above the noise, on average


PARTS = (
    Part("calibration", "expert", "kaggle31", 60, 0.93, 9),
    Part("test", "expert", "kaggle31", 150, 0.93, 9),
    Part("test", "expert", "seafood11", 40, 0.99, 11),
    Part("foreign", "expert", "bd20", 40, 0.45, 5),
    Part("foreign", "expert", "milkfish", 30, 0.2, 4.5),
    Part("foreign", "other_species", "f4k23", 50, surety=4),
    Part("foreign", "other_species", "finnish2", 20, surety=4),
    Part("foreign", "non_fish", "ood_imagenet", 30, surety=3),
)


def make_toy_run(folder: Path, labels: list[str], *, parts: tuple[Part, ...] = PARTS, seed: int = 5) -> RunFolder:
    """Write a run folder with every file that the report reads."""
    run, photos = RunFolder(folder / "toy-20260101-120000"), folder / "photos"
    run.pack.mkdir(parents=True)
    photos.mkdir()
    random = np.random.default_rng(seed)
    write_text(run.recipe, RECIPE.format(photos=photos.as_posix()))
    write_card(toy_card(labels), run.pack)
    write_json(run.versions, VERSIONS)
    write_json(run.history, toy_history())
    write_json(run.rates, toy_rates())
    write_json(run.classes, _classes(labels, random))
    write_json(run.duplicates, DUPLICATES)
    write_json(run.metrics, METRICS)
    write_json(run.gate, toy_gate())
    run.augmented.write_bytes(augmented_grid(random.integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)))
    write_predictions(run, toy_predictions(photos, len(labels), parts, random))
    return run


def write_predictions(run: RunFolder, arrays: dict[str, Any]) -> None:
    np.savez(run.predictions, **arrays)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def toy_card(
    labels: list[str], *, rule: GateRule | None = RULE, certificate: Certificate | None = CERTIFICATE
) -> ModelCard:
    """A card whose gate has a rule and a certificate."""
    return ModelCard(
        name="expert",
        version="toy-3",
        kind=Kind.EXPERT,
        architecture=Architecture(library=Library.TORCHVISION, name="mobilenet_v2"),
        weights=Weights(file="weights.safetensors", sha256="c" * 64),
        preprocessing=Preprocessing(
            width_px=32,
            height_px=32,
            resize_mode=ResizeMode.SQUASH,
            interpolation=Interpolation.BILINEAR,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
        ),
        labels={str(number): Taxon(label=label) for number, label in enumerate(labels)},
        temperature=TEMPERATURE,
        gate=Gate(threshold=THRESHOLD, evidence="Chosen on toys.", rule=rule, certificate=certificate),
        training={},
        metrics={},
        limits="A toy.",
        licence="None.",
    )


def toy_history() -> list[dict[str, Any]]:
    """Two stages; the training accuracy ends at 0.96, the validation accuracy at 0.91."""
    epochs = [("head", 2), ("whole", 6)]
    names = [name for name, count in epochs for _ in range(count)]
    progress = np.linspace(0, 1, len(names))
    return [
        {
            "stage": name,
            "epoch": number + 1,
            "train_loss": float(3.2 * np.exp(-3.4 * part)),
            "train_accuracy": float(0.4 + 0.56 * part**0.5),
            "validation_loss": float(2.9 * np.exp(-2.4 * part)),
            "validation_accuracy": float(0.45 + 0.46 * part**0.5),
            "head_rate": 1e-3,
            "backbone_rate": 0.0,
            "seconds": 90.0,
        }
        for number, (name, part) in enumerate(zip(names, progress, strict=True))
    ]


def toy_rates() -> dict[str, list[float]]:
    steps = np.arange(160)
    falling = 0.5 + 0.5 * np.cos(np.pi * (steps - 40) / 121)
    return {
        "step": steps.tolist(),
        "head_rate": np.where(steps < 40, 1e-3, 2e-4 * falling).tolist(),
        "backbone_rate": np.where(steps < 40, 0.0, 2e-5 * falling).tolist(),
    }


def toy_gate() -> dict[str, Any]:
    columns = ("auroc_other_species", "auroc_non_fish", "aurc", "ece_before", "ece_after", "coverage")
    scores = {score.value: 0.9 - 0.013 * number for number, score in enumerate(GateScore)}
    return {"chosen": "learned", "scores": {name: dict.fromkeys(columns, value) for name, value in scores.items()}}


def toy_predictions(
    photos: Path, classes: int, parts: tuple[Part, ...], random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the pictures and their answers."""
    rows = [part for part in parts for _ in range(part.pictures)]
    labels = np.array([random.integers(classes) if part.domain == "expert" else -1 for part in rows])
    logits = np.stack([_logits(part, label, classes, random) for part, label in zip(rows, labels, strict=True)])
    for number in range(len(rows)):
        _draw(photos / f"{number}.png", random)
    return {
        "path": np.array([f"{number}.png" for number in range(len(rows))]),
        "source": np.array([part.source for part in rows]),
        "domain": np.array([part.domain for part in rows]),
        "split": np.array([part.split for part in rows]),
        "label": labels,
        "logits": logits.astype(np.float32),
        "features": random.normal(0, 1, (len(rows), 6)).astype(np.float16),
    }


def _logits(part: Part, label: int, classes: int, random: np.random.Generator) -> np.ndarray:
    """The answer is the right one or a neighbour, so that some pairs of classes are confused often."""
    is_right = label >= 0 and random.random() < part.right_fraction
    answer = label if is_right else (label + random.choice([1, 1, 1, 2, 5])) % classes
    logits = random.normal(0, 1, classes)
    # Wrong answers are less sure than right ones, but not always.
    logits[answer] += max(0.5, random.normal(part.surety if is_right else 0.65 * part.surety, 2))
    return logits


def _classes(labels: list[str], random: np.random.Generator) -> dict[str, Any]:
    before = {label: int(random.integers(30, 600)) for label in labels}
    return {"labels": labels, "before": before, "after": {k: min(max(n, 250), 500) for k, n in before.items()}}


def _draw(path: Path, random: np.random.Generator) -> None:
    colours = random.integers(0, 256, (2, 3), dtype=np.uint8)
    pixels = np.repeat(np.repeat(colours[:, None], 24, axis=0), 64, axis=1)
    Image.fromarray(pixels).save(path)
