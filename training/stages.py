"""The training loop: stages, one after another, each with its own picture size, rates and schedule.

Owns the order of steps, epochs and stages, when a stage ends, and what a checkpoint holds. What is
learnt is given as a ``Learner``; this module does not know whether it is an expert or zero-shot.
"""

from __future__ import annotations

import time
from typing import Any

from training.checkpoint import load_checkpoint, save_checkpoint
from training.course import Course
from training.optimisation import Learner
from training.passes import Figures, Tools
from training.recipe import Stage
from training.run_folder import RunFolder, write_json


def run_stages(learner: Learner, course: Course, run: RunFolder) -> None:
    """Train through all stages, from the run's checkpoint on if there is one."""
    learner.network.to(course.device)
    progress = _Progress(learner, course, run)
    progress.resume()
    while progress.stage < len(course.stages):
        progress.run_epoch()


class _Progress:
    """A training under way: where it stands, and what it has seen."""

    def __init__(self, learner: Learner, course: Course, run: RunFolder) -> None:
        self._learner, self._course, self._run = learner, course, run
        self.stage, self._epoch = 0, 0
        self._history: list[dict[str, Any]] = []
        self._rates: dict[str, list[float]] = {"step": [], "head_rate": [], "backbone_rate": []}
        self._best: dict[str, Any] = {}  # the lowest validation loss of all epochs, and its weights
        self._waited = 0
        self._tools: Tools | None = None

    def resume(self) -> None:
        """Go on from the run's checkpoint, if there is one."""
        state = load_checkpoint(self._run.checkpoint, key=self._course.key, device=self._course.device)
        if state is None:
            return
        self._learner.network.load_state_dict(state["network"])
        self.stage, self._epoch, self._waited = state["stage"], state["epoch"], state["waited"]
        self._history, self._rates, self._best = state["history"], state["rates"], state["best"]
        if state["tools"]:
            self._begin().load_state_dict(state["tools"])

    def run_epoch(self) -> None:
        """Pass over the pictures once, validate, and keep the state."""
        course, stage = self._course, self._course.stages[self.stage]
        if not stage.epochs:
            self._end_stage()
            return
        tools, started = self._tools or self._begin(), time.monotonic()
        rows = course.sampling.rows(len(self._history))
        trained = tools.run_pass(rows, f"{stage.name} {self._epoch + 1}/{stage.epochs}", self._rates)
        validated = tools.validate()
        self._epoch += 1
        self._note(stage, trained, validated, seconds=time.monotonic() - started)
        if self._is_stage_over(stage, validated):
            self._end_stage()
        self._keep()

    def _begin(self) -> Tools:
        course = self._course
        self._tools = Tools(self._learner, course, course.stages[self.stage])
        return self._tools

    def _is_stage_over(self, stage: Stage, validated: Figures | None) -> bool:
        if self._course.patience and validated:
            self._watch(validated.loss)
            if self._waited >= self._course.patience:
                print(f"{stage.name}: no lower validation loss for {self._waited} epochs, the stage ends", flush=True)
                return True
        return self._epoch >= stage.epochs

    def _watch(self, loss: float) -> None:
        self._waited += 1
        if not self._best or loss < self._best["loss"]:
            assert self._tools
            self._waited, self._best = 0, {"loss": loss, "network": self._tools.weights()}

    def _end_stage(self) -> None:
        """Leave the network with the weights that count: the best seen, or the average, or those of the last step."""
        if self._tools:
            self._tools.finish()
        if self._best:
            self._learner.network.load_state_dict(self._best["network"])
        self.stage, self._epoch, self._waited, self._tools = self.stage + 1, 0, 0, None

    def _note(
        self,
        stage: Stage,
        trained: Figures,
        validated: Figures | None,
        *,
        seconds: float,
    ) -> None:
        entry = {
            "stage": stage.name,
            "epoch": len(self._history) + 1,
            "train_loss": trained.loss,
            "train_accuracy": trained.accuracy,
            "validation_loss": validated.loss if validated else None,
            "validation_accuracy": validated.accuracy if validated else None,
            "head_rate": self._rates["head_rate"][-1],
            "backbone_rate": self._rates["backbone_rate"][-1],
            "seconds": round(seconds, 1),
        }
        self._history.append(entry)
        print(_line(entry), flush=True)

    def _keep(self) -> None:
        """Write the checkpoint first: what the other files say can be had from it again."""
        state = {
            "network": self._learner.network.state_dict(),
            "tools": self._tools.state_dict() if self._tools else None,
            "stage": self.stage,
            "epoch": self._epoch,
            "waited": self._waited,
            "history": self._history,
            "rates": self._rates,
            "best": self._best,
        }
        save_checkpoint(self._run.checkpoint, state, key=self._course.key)
        write_json(self._run.history, self._history)
        write_json(self._run.rates, self._rates)


def _line(entry: dict[str, Any]) -> str:
    figures = {name: entry[name] for name in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")}
    told = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in figures.items() if value is not None)
    return f"epoch {entry['epoch']} ({entry['stage']}): {told}, {entry['seconds']:.0f} s"
