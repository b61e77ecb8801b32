"""What the report makes of runs that lack something, or in which something unusual came out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fishgate.gate_score import Geometry
from fishgate.model_card import GateRule, GateScore, Measure, Weights, write_card
from tests.training.report.page_reader import PageReader
from tests.training.report.toy_run import LABELS, TEMPERATURE, THRESHOLD, toy_card, toy_history, write_predictions
from training.gate_geometry import save_geometry
from training.report import page as page_module
from training.report.page import PARTS, write_report
from training.run_folder import RunFolder, write_json

Read = Callable[..., PageReader]

FEATURES = Weights(file="features.safetensors", sha256="d" * 64)


def changed(run: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the run to change."""
    return RunFolder(Path(shutil.copytree(run.path, tmp_path / run.path.name)))


@pytest.fixture
def read_again(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Writes and reads a report of some parts only, since plots take their time."""

    def read(run: RunFolder, *names: str) -> PageReader:
        monkeypatch.setattr(page_module, "PARTS", [part for part in PARTS if part[0] in names])
        return PageReader(write_report(run).read_text(encoding="utf-8"))

    return read


def stored(run: RunFolder) -> dict[str, np.ndarray]:
    with np.load(run.predictions) as arrays:
        return dict(arrays)


def test_without_a_rule_the_gate_reads_the_confidence(run: RunFolder, tmp_path: Path, read_again: Read):
    run = changed(run, tmp_path)
    write_card(toy_card(LABELS, rule=None), run.pack)
    scaled = stored(run)["logits"][stored(run)["split"] == "test"] / TEMPERATURE
    first = (np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)).max(axis=1)
    told = read_again(run, "headline").parts["headline"].row("accepted by the gate")[0]
    assert told.endswith(f"{(first >= THRESHOLD).sum()} of {len(first)})")


def test_a_rule_on_features_needs_features(run: RunFolder, tmp_path: Path, read_again: Read):
    run = changed(run, tmp_path)
    rule = GateRule(
        score=GateScore.FEATURE_DISTANCE, intercept=2.0, weights={Measure.FEATURE_DISTANCE: -1.0}, features=FEATURES
    )
    write_card(toy_card(LABELS, rule=rule), run.pack)
    assert "Left out: The run folder has no features.safetensors." in read_again(run, "coverage").parts["coverage"].text
    write_predictions(run, {name: array for name, array in stored(run).items() if name != "features"})
    page = read_again(run, "coverage", "headline", "sources")
    assert "Left out: The gate reads features, and predictions.npz holds none." in page.parts["coverage"].text
    assert "The gate reads features" in page.parts["headline"].row("accepted by the gate")[0]
    assert page.parts["sources"].row("kaggle31 (kept back)")[2:] == ["–", "–", "–"]


def test_the_distance_of_features_is_measured_as_in_serving(run: RunFolder, tmp_path: Path, read_again: Read):
    run = changed(run, tmp_path)
    # Features have length 1 and the only point lies at 0, so each distance is 1 and each certainty sigmoid(3 - 1).
    save_geometry(Geometry(np.eye(6, dtype=np.float16), np.zeros((1, 6), dtype=np.float16)), run.pack)
    rule = GateRule(
        score=GateScore.FEATURE_DISTANCE, intercept=3.0, weights={Measure.FEATURE_DISTANCE: -1.0}, features=FEATURES
    )
    write_card(toy_card(LABELS, rule=rule), run.pack)
    page = read_again(run, "headline", "mistakes")
    assert page.parts["headline"].row("accepted by the gate")[0].endswith("190 of 190)")
    assert "certainty 88.1 %" in page.parts["mistakes"].text


def test_a_card_without_a_certificate_promises_nothing(run: RunFolder, tmp_path: Path, read_again: Read):
    run = changed(run, tmp_path)
    write_card(toy_card(LABELS, certificate=None), run.pack)
    page = read_again(run, "certificate", "coverage")
    assert "The card has no certificate: nothing is promised." in page.parts["certificate"].text
    assert "The card has no certificate." in page.parts["coverage"].text


def test_nothing_accepted_is_told_as_that(run: RunFolder, tmp_path: Path, read_again: Read):
    run = changed(run, tmp_path)
    write_predictions(run, stored(run) | {"logits": np.zeros_like(stored(run)["logits"])})
    page = read_again(run, "coverage", "headline")
    assert "The threshold 0.8 accepts none of them." in page.parts["coverage"].text
    assert page.parts["headline"].row("wrong among accepted") == ["–"]


def test_a_perfect_model_has_no_mistakes(run: RunFolder, tmp_path: Path, read_again: Read):
    run, arrays = changed(run, tmp_path), stored(run)
    known = arrays["label"] >= 0
    right = {name: array[known] for name, array in arrays.items()}
    write_predictions(run, right | {"logits": 9 * np.eye(len(LABELS), dtype=np.float32)[right["label"]]})
    page = read_again(run, "mistakes", "confusion", "sources")
    assert "Test pictures: none of the 190 is answered wrongly." in page.parts["mistakes"].text
    assert "Pictures that no label fits: there are none." in page.parts["mistakes"].text
    assert "No test picture is answered wrongly." in page.parts["confusion"].text
    assert "nothing is known of deferring them" in page.parts["sources"].text


def test_a_photograph_that_is_gone_is_named(run: RunFolder, tmp_path: Path, read_again: Read):
    run = changed(run, tmp_path)
    write_predictions(run, stored(run) | {"path": np.full(len(stored(run)["path"]), "gone.png")})
    assert (
        "Left out: The photograph gone.png is not in the folder" in read_again(run, "mistakes").parts["mistakes"].text
    )


def test_an_epoch_without_validation_leaves_a_hole_not_a_number(run: RunFolder, tmp_path: Path, read_again: Read):
    run = changed(run, tmp_path)
    epochs = [epoch | {"validation_loss": None, "validation_accuracy": None} for epoch in toy_history()]
    write_json(run.history, epochs)
    assert read_again(run, "training").parts["training"].row("whole") == ["6", "9.0", "0.107", "–", "96.0 %", "–", "–"]


DUPLICATE_SENTENCES = [
    (0, "In the published split none crosses."),
    (None, "No split was published with these pictures."),
]


@pytest.mark.parametrize(("crossing", "sentence"), DUPLICATE_SENTENCES, ids=["none crosses", "none published"])
def test_what_did_not_cross_is_told_too(
    run: RunFolder, tmp_path: Path, read_again: Read, crossing: int | None, sentence: str
):
    run = changed(run, tmp_path)
    write_json(run.duplicates, {"pictures": 10, "groups": 9, "crossing_published_split": crossing})
    assert sentence in read_again(run, "duplicates").parts["duplicates"].text


def test_predictions_without_logits_are_refused(run: RunFolder, tmp_path: Path):
    run = changed(run, tmp_path)
    write_predictions(run, {name: array for name, array in stored(run).items() if name != "logits"})
    with pytest.raises(ValueError, match=r"predictions\.npz has no array 'logits'; needed are path, source, domain"):
        write_report(run)
