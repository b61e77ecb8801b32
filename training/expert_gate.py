"""The gate of a finished expert: its temperature, its score, its threshold and its promise.

Owns which photographs each is chosen on. The choices themselves are those of ``training.calibration``,
``training.gate_study`` and ``training.certification``.
"""

from __future__ import annotations

import numpy as np

from fishgate.model_card import Kind, ModelCard, read_card
from training import pack
from training.calibration import at_temperature, choose_threshold, fit_temperature
from training.gate_evidence import Evidence
from training.predictions import Predictions
from training.recipe import ClassifierRecipe
from training.run_folder import RunFolder
from training.splits import Split


def choose_gate(recipe: ClassifierRecipe, predictions: Predictions, trained: Predictions, run: RunFolder) -> ModelCard:
    """Choose temperature, rule and threshold, write them into the card of the run's pack, and return it."""
    card = read_card(run.pack, kind=Kind.EXPERT)
    validation, calibration = (predictions.of(split.value) for split in (Split.VALIDATION, Split.CALIBRATION))
    temperature = fit_temperature(_probabilities(validation), validation.label) if len(validation) else 1.0
    tempered = at_temperature(_probabilities(calibration), temperature)
    choice = choose_threshold(tempered.max(axis=1), calibration.is_right, max_wrong_fraction=recipe.gate.risk)
    gate = choice.as_gate("calibration photographs, of groups that were not trained on")
    return pack.save_card(card, run.pack, temperature=temperature, gate=gate)


def evidence_of(part: Predictions) -> Evidence:
    """Return what the study of the gate takes."""
    return Evidence(
        logits=part.logits, features=part.features, labels=part.label, groups=part.group, domains=part.domain
    )


def _probabilities(part: Predictions) -> np.ndarray:
    powers = np.exp(part.logits - part.logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
