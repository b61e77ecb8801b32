"""The recipe of the expert: what it learns from, its stages, its card and its figures.

Owns the order of the steps; each step is another module's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fishgate.device import Device
from fishgate.expert import load_expert
from fishgate.model_card import Architecture, Kind, Library, ModelCard, Weights
from fishgate.taxonomy import Taxon
from training import pack
from training.backbone import TORCHVISION_NAME, classifier_from, read_backbone
from training.calibration import calibrate
from training.evaluation import Figures, confirmed, foreign_figures, known_figures, labels_of, predict_photos
from training.photos import EXPERT, NON_FISH, OTHER_SPECIES, Photo, of_source, read_all_pixels, read_manifest
from training.schedule import Rates, Schedule
from training.splits import TRAINING_SOURCES, Split, Splits, split_by_group
from training.stages import Examples, run_stage
from training.taxa import index_of_labels, read_expert_taxa

MAX_WRONG_FRACTION = 0.02
"""The promise of the gate: of the answers it lets the expert give, one in fifty may be wrong."""

EXPERT_AMONG_OTHERS = "rainbow trout"
"""A subject of other_species that is an expert class all the same (Trout): no reason to defer it."""

RATES = Rates(head=(3e-3, 2e-3, 1e-3), backbone=(7e-4, 4e-4), batch=32)

LIMITS = (
    "A demonstration: small, trained in minutes. It travels badly to photographs of another origin (see "
    "metrics.never_trained_sources). The nine sea-food classes come from one tray each, all of which was trained "
    "on: for them there is no kept-back figure, and none in the evidence of the gate. 'Perch' names no single "
    "taxon, 'Snakehead' overlaps 'Mudfish', 'Shrimp' is no fish."
)

FROZEN_LAYERS = 4
"""The first layers find edges and colours, which fish share with all of ImageNet, and take most of
the time of a step: leaving them as they are makes a step more than twice as fast."""


@dataclass(frozen=True)
class Settings:
    """What the command line can change."""

    photos: Path
    weights: Path
    taxonomy: Path
    output: Path
    schedule: Schedule


class ExpertLearner:
    """The expert's network, learnt by cross-entropy over its classes."""

    def __init__(self, network: nn.Module) -> None:
        self.network: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        features, self._classifier = network.get_submodule("features"), network.get_submodule("classifier")
        self.head = list(self._classifier.parameters())
        self.backbone = [p for layer in list(features.children())[FROZEN_LAYERS:] for p in layer.parameters()]
        for layer in list(features.children())[:FROZEN_LAYERS]:
            layer.requires_grad_(False)

    def set_training(self) -> None:
        """Train with the statistics of the backbone: those of small batches are noise."""
        self.network.eval()
        self._classifier.train()  # for its dropout

    def loss(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy. No label smoothing: it blurs just what the gate reads."""
        return nn.functional.cross_entropy(self.network(pictures), labels)


def train_expert(settings: Settings) -> ModelCard:
    """Train, calibrate and measure the expert, write its pack and return its card."""
    started = time.monotonic()
    torch.manual_seed(settings.schedule.seed)
    photos = read_manifest(settings.photos)
    taxa = read_expert_taxa(settings.taxonomy)
    splits = split_by_group(of_source(photos, EXPERT, *TRAINING_SOURCES), seed=settings.schedule.seed)
    network = _train(settings, splits[Split.TRAIN], taxa)
    minutes = round((time.monotonic() - started) / 60, 1)
    facts = pack.training_facts(
        splits,
        settings.schedule.stages(RATES),
        start=settings.weights,
        seed=settings.schedule.seed,
        minutes=minutes,
    )
    card = _first_card(settings, taxa, pack.save_weights(network, settings.output), facts)
    pack.save_card(card, settings.output)
    return _calibrate_and_measure(settings, card, photos, splits)


def _train(settings: Settings, photos: list[Photo], taxa: list[Taxon]) -> nn.Module:
    preprocessing = settings.schedule.preprocessing
    pixels = read_all_pixels(photos, settings.photos, preprocessing)
    examples = Examples(pixels, labels_of(photos, index_of_labels(taxa)))
    learner = ExpertLearner(classifier_from(read_backbone(settings.weights), classes=len(taxa)))
    for stage in settings.schedule.stages(RATES):
        run_stage(learner, stage, examples, preprocessing)
    return learner.network


def _first_card(settings: Settings, taxa: list[Taxon], weights: Weights, facts: dict[str, Any]) -> ModelCard:
    return ModelCard(
        name="expert",
        version=pack.VERSION,
        kind=Kind.EXPERT,
        architecture=Architecture(library=Library.TORCHVISION, name=TORCHVISION_NAME),
        weights=weights,
        preprocessing=settings.schedule.preprocessing,
        labels={str(i): taxon for i, taxon in enumerate(taxa)},
        gate=pack.NO_GATE,
        training=facts,
        metrics={},
        limits=LIMITS,
        licence=pack.LICENCE,
    )


def _calibrate_and_measure(settings: Settings, card: ModelCard, photos: list[Photo], splits: Splits) -> ModelCard:
    """Choose temperature and threshold on the weights as saved, then measure the pack as it will be served."""
    calibration = splits[Split.CALIBRATION]
    labels = labels_of(calibration, index_of_labels(card.taxa))
    probabilities = _loaded(settings)(calibration)
    temperature, choice = calibrate(probabilities, labels, max_wrong_fraction=MAX_WRONG_FRACTION)
    gate = choice.as_gate("photographs of kaggle31 whose groups were not trained on")
    card = pack.save_card(card, settings.output, temperature=temperature, gate=gate)
    metrics = _metrics(settings, card, photos, splits)
    gate = confirmed(gate, metrics["kept_back"]["kaggle31"], described="test photographs of the same source")
    return pack.save_card(card, settings.output, gate=gate, metrics=metrics)


def _metrics(settings: Settings, card: ModelCard, photos: list[Photo], splits: Splits) -> dict[str, Any]:
    identify = _loaded(settings)
    threshold, index_of = card.gate.threshold, index_of_labels(card.taxa)

    def known(part: list[Photo]) -> Figures:
        return known_figures(identify(part), labels_of(part, index_of), threshold=threshold)

    def foreign(domain: str) -> Figures:
        part = [photo for photo in of_source(photos, domain) if photo.subject != EXPERT_AMONG_OTHERS]
        return foreign_figures(identify(part), threshold=threshold, below="deferred")

    test_only = sorted({photo.source for photo in of_source(photos, EXPERT)} - set(TRAINING_SOURCES))
    return {
        "measured": "through the serving code, from the half-precision weights; fractions of 1; sources whose "
        "photographs show expert classes but were never trained on tell how well it travels",
        "kept_back": {source: known(part) for source, part in _by_source(splits[Split.TEST]).items()},
        "never_trained_sources": {source: known(of_source(photos, EXPERT, source)) for source in test_only},
        "no_label_fits": {domain: foreign(domain) for domain in (OTHER_SPECIES, NON_FISH)},
    }


def _by_source(photos: list[Photo]) -> dict[str, list[Photo]]:
    return {source: of_source(photos, EXPERT, source) for source in sorted({photo.source for photo in photos})}


def _loaded(settings: Settings) -> Callable[[list[Photo]], NDArray[np.float32]]:
    """Load the pack as the server does; return what tells the probabilities of photographs."""
    expert = load_expert(settings.output, Device("cpu"))
    return lambda photos: predict_photos(expert.predict, photos, settings.photos, expert.card.preprocessing)
