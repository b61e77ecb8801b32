"""Stages run in order, may be killed at any moment, and leave the weights that count."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import ROOT
from tests.training.toy_course import in_order, toy_course, toy_examples, toy_learner, toy_stage
from training.backbones import ClassifierLearner
from training.checkpoint import CheckpointError
from training.course import Course
from training.recipe import Stage
from training.run_folder import RunFolder
from training.stages import run_stages

State = dict[str, torch.Tensor]
ALL_SETTINGS = (
    toy_stage("head", epochs=1, backbone_rate=0.0, optimiser="sgd", schedule="constant"),
    toy_stage("whole", epochs=3, schedule="one_cycle", mixup=0.4, average=0.9, label_smoothing=0.1),
    toy_stage("last", epochs=2, optimiser="adam", schedule="cosine", head_rate=1e-3, backbone_rate=1e-3),
)


class Stopped(Exception):
    """Raised in place of the program's end."""


def trained(folder: Path, course: Course) -> State:
    """Train a fresh network, or go on in a folder, and return its weights."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(5)
    learner = toy_learner()
    run_stages(learner, course, RunFolder(folder))
    return learner.network.state_dict()


def history(folder: Path) -> list[dict[str, Any]]:
    return json.loads(RunFolder(folder).history.read_text())


def same(one: State, other: State) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def stopping_in(number: int, course: Course) -> Course:
    """Return the course with a sampling that stops the program when pass ``number`` begins."""

    def rows(asked: int) -> Any:
        if asked == number:
            raise Stopped
        return course.sampling.rows(asked)

    return Course(**vars(course) | {"sampling": type(course.sampling)(course.sampling.count, rows)})


@pytest.mark.parametrize("stop", [0, 1, 2, 4, 5])
def test_a_stopped_training_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path, stop: int):
    course = toy_course(*ALL_SETTINGS)
    unbroken = trained(tmp_path / "unbroken", course)
    with pytest.raises(Stopped):
        trained(tmp_path / "stopped", stopping_in(stop, course))
    assert same(trained(tmp_path / "stopped", course), unbroken)
    for entry, other in zip(history(tmp_path / "stopped"), history(tmp_path / "unbroken"), strict=True):
        assert entry | {"seconds": 0} == other | {"seconds": 0}


def test_a_killed_training_goes_on_from_its_last_epoch(tmp_path: Path):
    script = (
        "import sys, pathlib; from tests.training.test_stages import *; torch.set_num_threads(1);"
        "trained(pathlib.Path(sys.argv[1]), toy_course(toy_stage(epochs=100000)))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "run"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    run = RunFolder(tmp_path / "run")
    deadline = time.monotonic() + 120
    while not run.history.exists() or len(json.loads(run.history.read_text())) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline, "no three epochs in two minutes"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = len(history(run.path))
    with pytest.raises(Stopped):
        trained(run.path, stopping_in(before + 3, toy_course(toy_stage(epochs=100000))))
    assert [entry["epoch"] for entry in history(run.path)] == list(range(1, len(history(run.path)) + 1))
    assert len(history(run.path)) == before + 3


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path):
    course = toy_course(toy_stage(epochs=2))
    trained(tmp_path / "run", course)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt in 'run' is of a training with other data, network"):
        trained(tmp_path / "run", toy_course(toy_stage(), key="other"))


def test_a_finished_training_is_not_done_again(tmp_path: Path):
    course = toy_course(toy_stage())
    before = trained(tmp_path / "run", course)
    assert same(trained(tmp_path / "run", stopping_in(0, course)), before)


def parts_that_changed(stage: Stage, tmp_path: Path) -> dict[str, bool]:
    torch.manual_seed(5)
    learner = toy_learner()
    before = {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}
    run_stages(learner, toy_course(stage), RunFolder(tmp_path))
    after = learner.network.state_dict()
    names = [name for name, _ in learner.network.named_parameters()]
    return {name: not torch.equal(before[name], after[name]) for name in names}


def test_a_backbone_without_a_rate_stays_as_it_is(tmp_path: Path):
    changed = parts_that_changed(toy_stage(backbone_rate=0.0), tmp_path)
    assert {name for name, is_changed in changed.items() if is_changed} == {"head.weight", "head.bias"}


def test_a_head_without_a_rate_stays_as_it_is(tmp_path: Path):
    changed = parts_that_changed(toy_stage(head_rate=0.0), tmp_path)
    assert {name for name, is_changed in changed.items() if not is_changed} == {"head.weight", "head.bias"}


def test_the_history_tells_each_epoch_and_the_rates_each_step(tmp_path: Path):
    trained(tmp_path / "run", toy_course(*ALL_SETTINGS))
    entries = history(tmp_path / "run")
    assert [entry["stage"] for entry in entries] == ["head", "whole", "whole", "whole", "last", "last"]
    assert entries[0]["backbone_rate"] == 0.0
    assert 0 <= entries[-1]["validation_accuracy"] <= 1
    rates = json.loads(RunFolder(tmp_path / "run").rates.read_text())
    assert rates["step"] == list(range(6 * 3))  # 18 examples in batches of 8, 8 and 2
    assert rates["head_rate"][:3] == [1e-2] * 3
    assert rates["head_rate"][-1] < rates["head_rate"][-6] == 1e-3


def test_the_toy_classes_are_learnt(tmp_path: Path):
    trained(tmp_path / "run", toy_course(toy_stage(epochs=8, schedule="one_cycle")))
    assert history(tmp_path / "run")[-1]["validation_accuracy"] == 1.0


def test_without_validation_its_figures_are_left_out(tmp_path: Path):
    trained(tmp_path / "run", toy_course(toy_stage(), validation=None))
    assert {entry["validation_loss"] for entry in history(tmp_path / "run")} == {None}


def with_losses(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> list[State]:
    """Let validation tell these losses; return the weights that it saw, which fill up as it does."""
    seen: list[State] = []

    def measure(learner: ClassifierLearner, *_: object) -> tuple[float, float]:
        seen.append({name: tensor.clone() for name, tensor in learner.network.state_dict().items()})
        return losses[len(seen) - 1], 0.5

    monkeypatch.setattr("training.passes.measure", measure)
    return seen


EARLY = {
    "never lower again": ([3.0, 1.0, 2.0, 2.0, 0.0, 0.0], 4, 1),
    "lower just in time": ([3.0, 1.0, 2.0, 0.9, 2.0, 2.0], 6, 3),
    "lower to the end": ([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 6, 5),
}


@pytest.mark.parametrize(("losses", "epochs", "best"), EARLY.values(), ids=EARLY)
def test_a_stage_ends_early_and_the_best_weights_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: list[float], epochs: int, best: int
):
    seen = with_losses(monkeypatch, losses)
    weights = trained(tmp_path / "run", toy_course(toy_stage(epochs=6, average=0.5), patience=2))
    assert len(history(tmp_path / "run")) == epochs
    assert same(weights, seen[best])


def test_the_patience_of_a_stage_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with_losses(monkeypatch, [1.0, 2.0, 2.0, 0.5, 0.4])
    trained(tmp_path / "run", toy_course(toy_stage("a", epochs=4), toy_stage("b", epochs=2), patience=2))
    assert [entry["stage"] for entry in history(tmp_path / "run")] == ["a", "a", "a", "b", "b"]


def test_averaged_weights_are_those_validated_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = with_losses(monkeypatch, [1.0, 1.0])
    averaged = trained(tmp_path / "averaged", toy_course(toy_stage(average=0.9)))
    assert same(averaged, seen[-1])
    assert not same(averaged, trained(tmp_path / "last", toy_course(toy_stage(), validation=None)))


def test_a_stage_of_no_epochs_is_passed_over(tmp_path: Path):
    trained(tmp_path / "run", toy_course(toy_stage("none", epochs=0), toy_stage("some", epochs=1)))
    assert [entry["stage"] for entry in history(tmp_path / "run")] == ["some"]


def test_a_last_batch_of_one_is_left_out(tmp_path: Path):
    seventeen = toy_examples(17)
    trained(tmp_path / "run", toy_course(toy_stage(epochs=1), train=seventeen, sampling=in_order(17)))
    assert len(json.loads(RunFolder(tmp_path / "run").rates.read_text())["step"]) == 2
