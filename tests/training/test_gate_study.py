"""The scores of the gate are compared on pictures that no rule was fitted on, and the best is chosen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fishgate import gate_score
from fishgate.model_card import GateScore, Measure, sha256_of
from tests.training.toy_evidence import CLASSES, WIDTH, known, outlying
from training.evaluation import aurc
from training.gate_evidence import Evidence, joined
from training.gate_figures import score_figures
from training.gate_geometry import DIRECTIONS, POINTS_OF_CLASS, fit_geometry, geometry_bytes, named
from training.gate_rules import MEASURES, OUTLIERS_SHARE, fit_rule, fold_of_group, weights_of
from training.gate_study import CRITERION, Study, study

RISK = 0.02


@pytest.fixture(scope="module")
def found() -> Study:
    outliers = joined(outlying(60, seed=3), outlying(30, seed=4, domain="non_fish"))
    held_out = joined(known(200, seed=5), outlying(80, seed=6))
    return study(
        training=known(300, seed=1),
        validation=known(200, seed=2),
        outliers=outliers,
        held_out=held_out,
        risk=RISK,
        seed=7,
    )


def test_every_score_is_compared_with_all_its_figures(found: Study):
    assert set(found.scores) == set(found.kept_back) == set(GateScore)
    for figures in found.scores.values():
        assert set(figures) == {
            *("aurc", "aurc_with_outliers", "coverage", "auroc_wrong"),
            *("auroc_other_species", "auroc_non_fish", "deferred_other_species", "deferred_non_fish"),
        }


def test_outliers_beside_the_classes_are_seen_by_distance_and_not_by_confidence(found: Study):
    by_distance, by_confidence = found.kept_back[GateScore.FEATURE_DISTANCE], found.kept_back[GateScore.MAX_SOFTMAX]
    assert by_distance["auroc_other_species"] > 0.95 > by_confidence["auroc_other_species"]


def test_the_chosen_score_has_the_least_of_the_criterion(found: Study):
    assert found.scores[found.chosen][CRITERION] == min(figures[CRITERION] for figures in found.scores.values())
    assert found.chosen is found.rule.score


def test_a_learned_rule_knows_mistakes_and_outliers(found: Study):
    learned, plain = found.kept_back[GateScore.LEARNED], found.kept_back[GateScore.MAX_SOFTMAX]
    assert learned[CRITERION] < plain[CRITERION]
    assert learned["deferred_other_species"] > plain["deferred_other_species"]


def test_the_result_can_be_written_as_json(found: Study):
    value = json.loads(json.dumps(found.as_json()))
    assert value["chosen"] == found.chosen.value
    assert value["scores"]["energy"] == found.scores[GateScore.ENERGY]
    assert value["calibration_error"].keys() == {"before", "after"}


def test_what_the_rule_needs_is_written_with_the_hash_that_it_names(found: Study, tmp_path: Path):
    found.save(tmp_path)
    assert found.rule.features
    path = tmp_path / found.rule.features.file
    assert sha256_of(path) == found.rule.features.sha256
    assert gate_score.read_geometry(path).points.shape[1] == found.geometry.whitening.shape[1]


def test_certainty_is_that_of_serving_from_the_stored_file(found: Study, tmp_path: Path):
    found.save(tmp_path)
    assert found.rule.features
    seen = known(50, seed=9)
    geometry = gate_score.read_geometry(tmp_path / found.rule.features.file)
    measured = gate_score.measures(
        seen.logits, temperature=found.temperature, features=seen.features, geometry=geometry
    )
    np.testing.assert_array_equal(gate_score.certainty(found.rule, measured), found.certainty(seen))


def test_without_outliers_mistakes_alone_decide():
    alone = study(
        training=known(300, seed=1), validation=known(200, seed=2), outliers=outlying(0, seed=3), risk=RISK, seed=7
    )
    for figures in alone.scores.values():
        assert figures["aurc"] == figures["aurc_with_outliers"]
    assert alone.kept_back == {}


def test_outliers_that_the_rules_are_fitted_on_do_not_flatter_the_figures():
    # Features of chance, more of them than a rule could learn from honestly: only fitting on the same would shine.
    random = np.random.default_rng(8)
    validation = replace(known(60, seed=2), features=random.normal(size=(60, WIDTH)).astype(np.float32))
    alike = replace(
        validation, labels=np.full(60, -1), domains=np.full(60, "other_species"), groups=np.arange(60).astype(str)
    )
    figures = study(training=known(90, seed=1), validation=validation, outliers=alike, risk=RISK, seed=7).scores
    assert figures[GateScore.LEARNED]["auroc_other_species"] == pytest.approx(0.5, abs=0.12)


def test_all_right_and_no_outliers_is_nothing_to_learn_from():
    flawless = known(60, seed=2, spread=0.01)
    with pytest.raises(ValueError, match="a rule is learnt from right and wrong answers; seen 60 right of 60"):
        study(training=known(90, seed=1), validation=flawless, outliers=outlying(0, seed=3), risk=RISK, seed=7)


@pytest.mark.parametrize("score", GateScore, ids=lambda score: score.value)
def test_a_rule_reads_its_measures_and_names_the_file_only_if_it_needs_it(score: GateScore):
    geometry = named(fit_geometry(known(60, seed=1).features, known(60, seed=1).labels, seed=7))
    measured = {measure: np.array([0.1, 0.9, 0.2, 0.8]) for measure in Measure}
    rule = fit_rule(score, measured, np.array([False, True] * 2), weights=np.ones(4), geometry=geometry)
    assert set(rule.weights) == set(MEASURES[score])
    assert (rule.features is not None) is (Measure.FEATURE_DISTANCE in rule.weights)


def test_platt_scaling_finds_the_chance_to_be_right():
    random = np.random.default_rng(1)
    log_odds = random.normal(1.0, 2.0, 20_000)
    is_right = random.random(20_000) < 1.0 / (1.0 + np.exp(1.0 - 0.5 * log_odds))
    rule = fit_rule(
        GateScore.MAX_SOFTMAX, {Measure.LOG_ODDS: log_odds}, is_right, weights=np.ones(20_000), geometry=None
    )
    assert rule.intercept == pytest.approx(-1.0, abs=0.05)
    assert rule.weights[Measure.LOG_ODDS] == pytest.approx(0.5, abs=0.03)


def test_a_measure_that_never_varies_does_no_harm():
    measured = {Measure.LOG_ODDS: np.full(4, 3.0)}
    rule = fit_rule(
        GateScore.MAX_SOFTMAX, measured, np.array([True, True, True, False]), weights=np.ones(4), geometry=None
    )
    assert gate_score.certainty(rule, measured) == pytest.approx(np.full(4, 0.75), abs=1e-3)


def test_outliers_together_weigh_their_share():
    weights = weights_of(joined(known(40, seed=1), outlying(8, seed=2)))
    assert weights[:40].tolist() == [1.0] * 40
    assert weights[40:].sum() == pytest.approx(40 * OUTLIERS_SHARE)


def test_a_group_is_in_one_fold_and_kinds_are_in_all():
    evidence = joined(known(40, seed=1), outlying(10, seed=2))
    fold = fold_of_group(evidence, folds=5, seed=7)
    for group in np.unique(evidence.groups):
        assert len(set(fold[evidence.groups == group])) == 1
    assert np.bincount(fold[40:]).tolist() == [2] * 5


def test_the_geometry_makes_classes_round_and_fits_half_precision():
    seen = known(600, seed=1)
    geometry = fit_geometry(seen.features, seen.labels, seed=7)
    assert geometry.points.dtype == geometry.whitening.dtype == np.float16
    assert geometry.whitening.shape == (WIDTH, min(WIDTH, DIRECTIONS))
    assert len(geometry.points) == CLASSES * POINTS_OF_CLASS
    assert len(geometry_bytes(geometry)) < 2 * (geometry.points.size + geometry.whitening.size) + 300
    vectors = seen.features / np.linalg.norm(seen.features, axis=1, keepdims=True) @ geometry.whitening
    for label in range(CLASSES):
        variances = vectors[seen.labels == label].var(axis=0)
        assert variances.max() < 2.0  # along no direction is a class wider than others


def test_pictures_trained_on_lie_at_distance_nothing():
    seen = known(90, seed=1)
    distance = gate_score.feature_distance(seen.features, fit_geometry(seen.features, seen.labels, seed=7))
    assert distance.max() < 0.05
    assert gate_score.feature_distance(-seen.features, fit_geometry(seen.features, seen.labels, seed=7)).min() > 1.0


def test_a_geometry_needs_pictures():
    with pytest.raises(ValueError, match="there are no pictures to measure feature space by"):
        fit_geometry(np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.int64), seed=7)


# certainty, right; of four known and two outliers
FIGURES = (
    [(0.9, True), (0.8, True), (0.7, False), (0.6, True)],
    [0.75, 0.1],
)


def test_figures_by_hand():
    inside, outside = FIGURES
    labels = [0 if right else 1 for _, right in inside] + [-1, -1]
    evidence = Evidence(
        logits=np.tile(np.float32([1, 0]), (6, 1)),
        features=np.zeros((6, 1), dtype=np.float32),
        labels=np.array(labels),
        groups=np.arange(6).astype(str),
        domains=np.array(["expert"] * 4 + ["non_fish"] * 2),
    )
    certainty = np.array([value for value, _ in inside] + outside)
    found = score_figures(certainty, evidence, risk=0.1)
    assert found == {
        "aurc": pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4, abs=1e-4),
        "aurc_with_outliers": round(aurc(certainty, evidence.is_right), 4),
        "coverage": 0.5,  # the two best; the third is wrong
        "auroc_wrong": pytest.approx(2 / 3, abs=1e-4),
        "auroc_non_fish": pytest.approx(6 / 8),  # 0.75 is above 0.7 and 0.6, 0.1 above none
        "deferred_non_fish": 1.0,  # at the threshold 0.8
    }


def test_equal_certainties_are_accepted_together():
    evidence = known(3, seed=1, spread=0.0)
    evidence = replace(evidence, labels=np.array([0, 1, 0]))  # the third is wrong
    assert score_figures(np.array([0.9, 0.5, 0.5]), evidence, risk=0.1)["coverage"] == pytest.approx(1 / 3, abs=1e-4)
    assert score_figures(np.array([0.5, 0.5, 0.9]), evidence, risk=0.1)["coverage"] == 0.0


WRONG_EVIDENCE = {
    "lengths": ({"labels": np.array([0, 1])}, "the arrays must describe the same pictures, their lengths are"),
    "a label too great": ({"labels": np.array([0, 1, CLASSES])}, f"label {CLASSES} is none of {CLASSES} outputs"),
    "a label too small": ({"labels": np.array([0, 1, -2])}, "label -2 is none of 3 outputs, nor -1 for no class"),
}


@pytest.mark.parametrize(("changed", "message"), WRONG_EVIDENCE.values(), ids=WRONG_EVIDENCE)
def test_evidence_that_does_not_fit_is_refused(changed: dict[str, np.ndarray], message: str):
    with pytest.raises(ValueError, match=message):
        replace(known(3, seed=1), **changed)
