"""Zero-shot's floor and figures, from hand-made predictions."""

from __future__ import annotations

import numpy as np
import pytest

from training.predictions import Predictions
from training.zero_shot_figures import choose_floor, confirmed, zero_shot_figures

LABELS = 6


def predictions_of(rows: list[tuple[str, str, str, int, int, float]]) -> Predictions:
    """Rows of split, domain, source, right label, first name and its lead over the others in logits."""
    logits = np.zeros((len(rows), LABELS), dtype=np.float32)
    for row, (*_, named, lead) in zip(logits, rows, strict=True):
        row[named] = lead
    split, domain, source, label, _, _ = (np.array(column) for column in zip(*rows, strict=True))
    path = np.array([str(number) for number in range(len(rows))])
    return Predictions(path, source, domain, path, split, label, logits, logits, np.array(""))


CALIBRATION = [
    ("calibration", "expert", "kaggle31", 0, 0, 6.0),
    ("validation", "expert", "kaggle31", 1, 1, 5.0),
    ("calibration", "other_species", "f4k23", 2, 2, 4.0),
    ("calibration", "other_species", "f4k23", 3, 3, 3.5),
    ("validation", "other_species", "f4k23", 4, 4, 3.0),
    ("calibration", "expert", "kaggle31", 5, 0, 2.0),
    ("calibration", "expert", "kaggle31", 5, 1, 1.0),
]
TEST = [
    ("test", "expert", "kaggle31", 0, 0, 5.0),
    ("test", "other_species", "f4k23", 2, 2, 5.0),
    ("test", "other_species", "f4k23", 3, 2, 5.0),
    ("foreign", "expert", "bd20", 0, 4, 5.0),
    ("foreign", "non_fish", "ood", -1, 1, 0.5),
    ("foreign", "non_fish", "ood", -1, 1, 9.0),
]
ALL = predictions_of(CALIBRATION + TEST)
EVERYTHING = np.ones(len(ALL), dtype=bool)


def test_the_floor_leaves_out_what_is_wrong_too_often():
    _, choice = choose_floor(ALL, EVERYTHING, max_wrong=0.2)
    assert (choice.pictures, choice.accepted, choice.wrong) == (7, 6, 1)
    _, strict = choose_floor(ALL, EVERYTHING, max_wrong=0.1)
    assert (strict.accepted, strict.wrong) == (5, 0)
    assert strict.threshold > choice.threshold


def test_only_deferred_photographs_of_validation_and_calibration_choose():
    is_deferred = EVERYTHING.copy()
    is_deferred[:2] = False
    _, choice = choose_floor(ALL, is_deferred, max_wrong=0.2)
    assert choice.pictures == 5


def test_without_deferred_photographs_there_is_no_floor():
    with pytest.raises(ValueError, match="the expert defers no photograph of validation and calibration"):
        choose_floor(ALL, ~EVERYTHING, max_wrong=0.2)


def test_figures_are_counted_by_domain_and_source():
    figures = zero_shot_figures(ALL, EVERYTHING, temperature=1.0, floor=0.5)
    assert figures["kept_back"]["other_species"]["photographs"] == 2
    assert figures["kept_back"]["other_species"]["accuracy"] == 0.5
    assert figures["kept_back"]["other_species"]["accuracy_interval"] == [0.0945, 0.9055]  # Wilson, 1 of 2
    assert figures["kept_back"]["expert"]["accuracy"] == 1.0
    assert set(figures["kept_back_by_source"]) == {"kaggle31", "f4k23"}
    assert figures["kept_back_and_deferred"]["wrong_among_accepted"] == 0.3333
    assert figures["untrained_photographs_of_expert_classes"]["bd20"]["accuracy"] == 0.0
    assert figures["no_label_fits"]["non_fish"] == {"photographs": 2, "below_floor": 0.5}


def test_a_higher_temperature_accepts_less_and_names_the_same():
    cold, hot = (zero_shot_figures(ALL, EVERYTHING, temperature=value, floor=0.8) for value in (1.0, 4.0))
    assert cold["kept_back_and_deferred"]["accepted"] == 1.0
    assert hot["kept_back_and_deferred"]["accepted"] == 0.0
    assert cold["kept_back_and_deferred"]["accuracy"] == hot["kept_back_and_deferred"]["accuracy"]


def test_the_evidence_tells_what_the_floor_did_elsewhere():
    _, choice = choose_floor(ALL, EVERYTHING, max_wrong=0.2)
    figures = {"photographs": 40, "accepted": 0.5, "wrong_among_accepted": 0.1}
    gate = confirmed(choice.as_gate("photographs"), figures)
    assert "On 40 test photographs that it defers it accepts 50.0%, and 10.0% of those are wrong." in gate.evidence
    assert confirmed(gate, {"photographs": 0}) == gate
