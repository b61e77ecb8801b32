"""Kind zero_shot: a CLIP learns to match photographs and names, and becomes the pack that the expert defers to.

Owns the order of the steps; each step is another module's. All that follows the training can be done
again in the folder of a finished run.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fishgate.device import Device
from fishgate.expert import load_expert
from fishgate.model_card import CARD_FILE, Architecture, Kind, Library, ModelCard, read_card
from training import balancing, pack
from training.checkpoint import training_key
from training.classifier import seed_all
from training.clip_learner import ClipLearner, clip_config, clip_from
from training.clip_passes import clip_passes
from training.course import Course, Sampling, by_balance, by_roots
from training.deferral import deferred_by
from training.name_set import NameSet, gather_names
from training.photos import Photo
from training.pictures import Examples, pictures_of
from training.predictions import FOREIGN, Predictions, predictions_of
from training.recipe import ZeroShotRecipe, project_path
from training.report.page import write_report
from training.run_folder import RunFolder, write_json
from training.samples import write_samples
from training.splits import Split
from training.stages import run_stages
from training.start_weights import start_facts
from training.zero_shot_figures import CHOSEN_ON, choose_floor, confirmed, zero_shot_figures

NETWORK_NAME = "fishgate-demo-clip"
KEPT_BACK = (Split.VALIDATION, Split.CALIBRATION, Split.TEST)


def run_zero_shot(recipe: ZeroShotRecipe, run: RunFolder) -> None:
    """Train, if that is not done yet, choose temperature and floor, measure and report."""
    load_expert(project_path(recipe.expert), Device("cpu"))  # what is wrong with it must be known before the training
    names = gather_names(recipe)
    train_clip(recipe, names, run)
    finish_zero_shot(recipe, names, run)


def train_clip(recipe: ZeroShotRecipe, names: NameSet, run: RunFolder) -> None:
    """Train the network and write its pack, without a floor; nothing is done if the pack is there."""
    if (run.pack / CARD_FILE).exists():
        print(f"{run.path.name}: the training is done, its pack is there", flush=True)
        return
    seed_all(recipe.seed)
    config = clip_config(recipe.network, recipe.matching, size_px=recipe.picture.size_px)
    network = clip_from(recipe.network, config)
    learner = ClipLearner(network, names.candidates.taxa, frozen_layers=recipe.network.frozen_layers)
    run_stages(learner, _course(recipe, names, run), run)
    _write_pack(recipe, names, learner, run)
    run.checkpoint.unlink(missing_ok=True)


def finish_zero_shot(recipe: ZeroShotRecipe, names: NameSet, run: RunFolder) -> ModelCard:
    """Give a trained pack its temperature, its floor, its figures and its report."""
    predictions = predict_kept_back(names, run)
    is_deferred = deferred_by(project_path(recipe.expert), predictions.path, names.folder)
    temperature, choice = choose_floor(predictions, is_deferred, max_wrong=recipe.max_wrong)
    figures = zero_shot_figures(predictions, is_deferred, temperature=temperature, floor=choice.threshold)
    gate = confirmed(choice.as_gate(CHOSEN_ON), figures["kept_back_and_deferred"])
    card = read_card(run.pack, kind=Kind.ZERO_SHOT)
    card = pack.save_card(card, run.pack, temperature=temperature, gate=gate, metrics=figures)
    write_json(run.metrics, figures)
    if not run.augmented.exists():
        photos = names.splits[Split.TRAIN]
        write_samples(recipe, pictures_of(photos, names.folder, card.preprocessing), len(photos), run)
    print(f"the report is {write_report(run)}", flush=True)
    if recipe.output.pack:
        shutil.copytree(run.pack, project_path(recipe.output.pack), dirs_exist_ok=True)
    return card


def predict_kept_back(names: NameSet, run: RunFolder) -> Predictions:
    """Run the pack over all photographs that it was not trained on, and keep what it says."""
    parts = {split.value: names.splits[split] for split in KEPT_BACK} | {FOREIGN: names.foreign}
    return predictions_of(run.pack, names, parts, kept=run.predictions, passes=clip_passes)


def _course(recipe: ZeroShotRecipe, names: NameSet, run: RunFolder) -> Course:
    photos, validation = names.splits[Split.TRAIN], names.splits[Split.VALIDATION]
    train = _examples(recipe, names, photos)
    sampling = _sampling(recipe, train.labels)
    _write_classes(names, train.labels, sampling, run)
    start = json.dumps(start_facts(recipe.network))
    return Course(
        stages=recipe.stages,
        train=train,
        validation=_examples(recipe, names, validation) if validation else None,
        preprocessing=recipe.picture.preprocessing(),
        sampling=sampling,
        key=training_key(recipe, start, *(photo.path for photo in photos)),
        strength=recipe.augmentation,
        patience=recipe.early_stopping.patience if recipe.early_stopping else None,
    )


def _write_classes(names: NameSet, labels: NDArray[np.int64], sampling: Sampling, run: RunFolder) -> None:
    shown = [taxon.label for taxon in names.candidates.taxa]
    with torch.random.fork_rng(devices=[]):  # what is shown here must not change what is trained on
        after = balancing.class_counts(labels[sampling.rows(0)], shown)
    write_json(run.classes, {"labels": shown, "before": balancing.class_counts(labels, shown), "after": after})


def _sampling(recipe: ZeroShotRecipe, labels: NDArray[np.int64]) -> Sampling:
    return by_balance(labels, recipe.balance, seed=recipe.seed) if recipe.balance else by_roots(labels)


def _examples(recipe: ZeroShotRecipe, names: NameSet, photos: list[Photo]) -> Examples:
    labels = np.array([names.label_of(photo) for photo in photos], dtype=np.int64)
    return Examples(pictures_of(photos, names.folder, recipe.picture.preprocessing()), labels)


def _write_pack(recipe: ZeroShotRecipe, names: NameSet, learner: ClipLearner, run: RunFolder) -> None:
    """Write the weights, then the card, whose presence says that the training is done."""
    history: list[dict[str, Any]] = json.loads(run.history.read_text())
    facts = pack.training_facts(recipe, names.splits, start=start_facts(recipe.network), history=history)
    facts["versions"] = json.loads(run.versions.read_text())
    config = clip_config(recipe.network, recipe.matching, size_px=recipe.picture.size_px)
    card = ModelCard(
        name="zero_shot",
        version=recipe.version,
        kind=Kind.ZERO_SHOT,
        architecture=Architecture(library=Library.OPEN_CLIP, name=NETWORK_NAME, config=config),
        weights=pack.save_weights(learner.network, run.pack),
        preprocessing=recipe.picture.preprocessing(),
        labels={str(i): taxon for i, taxon in enumerate(names.candidates.taxa)},
        gate=pack.NO_GATE,
        training=facts,
        metrics={},
        limits=recipe.card.limits,
        licence=recipe.card.licence,
    )
    pack.save_card(card, run.pack)
