"""The gate of a finished expert: its temperature, its score, its threshold and its promise.

Owns which photographs each is chosen on. The choices themselves are those of ``training.gate_study`` and
``training.certification``.
"""

from __future__ import annotations

from fishgate.model_card import Gate, Kind, ModelCard, read_card
from training import pack
from training.calibration import temperature_of
from training.certifying import Promise, certified, evidence_of_threshold
from training.dataset import place_of
from training.gate_evidence import Evidence, joined
from training.gate_study import study
from training.photo_set import list_photos
from training.predictions import FOREIGN, GATE, Predictions
from training.recipe import ClassifierRecipe
from training.run_folder import RunFolder, write_json
from training.splits import Split


def choose_gate(recipe: ClassifierRecipe, predictions: Predictions, trained: Predictions, run: RunFolder) -> ModelCard:
    """Choose temperature, rule and threshold, write them into the card of the run's pack, and return it."""
    card = _with_rule(recipe, predictions, trained, run)
    validation, calibration = (predictions.of(split.value) for split in (Split.VALIDATION, Split.CALIBRATION))
    if not len(validation) or not len(calibration):
        return card
    promise = Promise(recipe.gate.risk, recipe.gate.confidence)
    photos, _ = list_photos(place_of(recipe.data))
    card, chosen = certified(card, promise, plan=validation, calibration=calibration, pack=run.pack, photos=photos)
    print(evidence_of_threshold(chosen), flush=True)
    return pack.save_card(card, run.pack)


def evidence_of(part: Predictions) -> Evidence:
    """Return what the study of the gate takes."""
    return Evidence(
        logits=part.logits, features=part.features, labels=part.label, groups=part.group, domains=part.domain
    )


def _with_rule(recipe: ClassifierRecipe, predictions: Predictions, trained: Predictions, run: RunFolder) -> ModelCard:
    """Fit temperature and rule, and write the comparison of the scores; raise ValueError without validation."""
    card = read_card(run.pack, kind=Kind.EXPERT).model_copy(update={"gate": pack.NO_GATE})
    validation = evidence_of(predictions.of(Split.VALIDATION.value))
    try:
        found = study(
            training=evidence_of(trained),
            validation=validation,
            outliers=evidence_of(predictions.of(GATE)),
            held_out=_held_out(predictions),
            risk=recipe.gate.risk,
            seed=recipe.seed,
        )
    except ValueError as reason:
        print(f"the gate reads the plain confidence: {reason}", flush=True)
        write_json(run.gate, {"scores": {}, "left_out": str(reason)})
        temperature = temperature_of(validation.logits, validation.labels) if len(validation) else 1.0
        return pack.save_card(card, run.pack, temperature=temperature)
    write_json(run.gate, found.as_json())
    found.save(run.pack)
    gate = Gate(threshold=1.0, evidence=pack.NO_GATE.evidence, rule=found.rule)
    return pack.save_card(card, run.pack, temperature=found.temperature, gate=gate)


def _held_out(predictions: Predictions) -> Evidence:
    """Return the test photographs, and the photographs that no class fits and nothing was fitted on."""
    foreign = evidence_of(predictions.of(FOREIGN))
    return joined(evidence_of(predictions.of(Split.TEST.value)), foreign.where(~foreign.has_label))
