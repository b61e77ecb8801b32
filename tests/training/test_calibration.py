"""The temperature and the threshold, on tables of cases."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import TEMPERATURES, at_temperature, choose_threshold, fit_temperature, temperature_of

RIGHT, WRONG = True, False
THRESHOLD_CASES = {
    "all right: the lowest": ([(0.9, RIGHT), (0.8, RIGHT), (0.7, RIGHT)], 0.0, (0.7, 3, 0)),
    "a wrong one at the bottom is left out": ([(0.9, RIGHT), (0.8, RIGHT), (0.7, WRONG)], 0.0, (0.8, 2, 0)),
    "a wrong one at the top leaves nothing": ([(0.9, WRONG), (0.8, RIGHT)], 0.0, (1.0, 0, 0)),
    "a wrong one is allowed for": ([(0.9, RIGHT), (0.8, WRONG), (0.7, WRONG)], 0.5, (0.8, 2, 1)),
    "many right ones make up for a wrong one above": (
        [(0.9, WRONG), (0.8, RIGHT), (0.7, RIGHT), (0.6, RIGHT)],
        0.25,
        (0.6, 4, 1),
    ),
    "equal confidences stand or fall together": ([(0.9, RIGHT), (0.8, RIGHT), (0.8, WRONG)], 0.0, (0.9, 1, 0)),
    "the threshold is rounded up": ([(0.9, RIGHT), (0.70004, RIGHT), (0.6, WRONG)], 0.0, (0.7001, 1, 0)),
    "certainty is accepted": ([(1.0, RIGHT), (0.5, WRONG)], 0.0, (1.0, 1, 0)),
}


@pytest.mark.parametrize(("answers", "allowed", "expected"), THRESHOLD_CASES.values(), ids=THRESHOLD_CASES)
def test_threshold(answers: list[tuple[float, bool]], allowed: float, expected: tuple[float, int, int]):
    confidences = np.array([confidence for confidence, _ in answers], dtype=np.float32)
    choice = choose_threshold(confidences, np.array([right for _, right in answers]), max_wrong_fraction=allowed)
    assert (choice.threshold, choice.accepted, choice.wrong) == expected


def test_the_evidence_states_the_counts():
    choice = choose_threshold(np.float32([0.9, 0.8, 0.7]), np.array([True, True, False]), max_wrong_fraction=0.02)
    gate = choice.as_gate("drawn pictures")
    assert gate.threshold == 0.8
    assert "3 drawn pictures" in gate.evidence
    assert "at most 2% of the accepted answers are wrong" in gate.evidence
    assert "2 answers are accepted (66.7%), 0 of them wrong" in gate.evidence


def test_temperature_tames_a_model_that_is_too_sure():
    # Sure of label 0 to 99 %, right three times in four: the honest confidence is 0.75.
    probabilities = np.tile(np.float32([0.99, 0.01]), (400, 1))
    labels = np.array([0, 0, 0, 1] * 100)
    temperature = fit_temperature(probabilities, labels)
    assert at_temperature(probabilities, temperature)[0, 0] == pytest.approx(0.75, abs=0.01)


def test_temperature_one_changes_nothing():
    probabilities = np.float32([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    assert at_temperature(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-6)


def test_the_temperature_of_logits_is_that_of_their_probabilities():
    logits = np.random.default_rng(1).normal(0.0, 3.0, (300, 4))
    labels = np.random.default_rng(2).integers(0, 4, 300)
    labels[:200] = logits[:200].argmax(axis=1)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = temperature_of(logits, labels)
    assert found == pytest.approx(fit_temperature(probabilities, labels), rel=1e-3)
    assert found == pytest.approx(temperature_of(2.0 * logits, labels) / 2.0, rel=1e-3)


@pytest.mark.parametrize(("label", "low", "high"), [(0, TEMPERATURES[0], 0.5), (1, 15.0, TEMPERATURES[1])])
def test_with_all_answers_alike_the_temperature_stays_finite(label: int, low: float, high: float):
    assert low <= temperature_of(np.tile([5.0, 0.0], (9, 1)), np.full(9, label)) <= high


def test_a_temperature_needs_pictures():
    with pytest.raises(ValueError, match="a temperature is fitted to pictures, and there are none"):
        temperature_of(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
