"""The files of a run folder, read for the report; a file that is not there is told, not invented.

Owns the reading. What the files mean on the page is said by the modules that draw them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fishgate import gate_score
from fishgate.model_card import CARD_FILE, ModelCard
from training.recipe import Recipe, project_path
from training.report.answers import Answers, Flags, read_answers
from training.report.blocks import LeftOut
from training.run_folder import RunFolder


@dataclass(frozen=True)
class RunData:
    """What a run has left; each property raises LeftOut if its file is not there."""

    folder: RunFolder

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe as run."""
        if not self.folder.recipe.is_file():
            raise _left_out(self.folder.recipe)
        return self.folder.read_recipe()

    @cached_property
    def versions(self) -> dict[str, Any]:
        """What the figures hang on besides the recipe."""
        return dict(_read(self.folder.versions))

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """Losses and accuracies, one entry an epoch."""
        return list(_read(self.folder.history))

    @cached_property
    def rates(self) -> dict[str, list[float]]:
        """The learning rates, step by step."""
        return dict(_read(self.folder.rates))

    @cached_property
    def classes(self) -> dict[str, Any]:
        """The labels, and the training pictures of each before and after balancing."""
        return dict(_read(self.folder.classes))

    @cached_property
    def labels(self) -> list[str]:
        """The names of the outputs, in their order."""
        return list(self.classes["labels"])

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The figures that the run wrote."""
        return dict(_read(self.folder.metrics))

    @cached_property
    def gate(self) -> dict[str, Any]:
        """The comparison of the gate's scores."""
        return dict(_read(self.folder.gate))

    @cached_property
    def duplicates(self) -> dict[str, Any]:
        """How many near-duplicates there are, and how many cross a published split."""
        return dict(_read(self.folder.duplicates))

    @cached_property
    def augmented(self) -> bytes:
        """The grid of augmented pictures as PNG."""
        if not self.folder.augmented.is_file():
            raise _left_out(self.folder.augmented)
        return self.folder.augmented.read_bytes()

    @cached_property
    def card(self) -> ModelCard:
        """The model card of the finished pack."""
        path = self.folder.pack / CARD_FILE
        if not path.is_file():
            raise _left_out(path)
        return ModelCard.model_validate_json(path.read_bytes())

    @cached_property
    def predictions(self) -> Answers:
        """What the model says of the photographs it was not trained on."""
        if not self.folder.predictions.is_file():
            raise _left_out(self.folder.predictions)
        return read_answers(self.folder.predictions)

    @cached_property
    def photos(self) -> Path:
        """The folder that the paths of the photographs start from."""
        data = self.recipe.data
        if data.manifest is not None:
            return project_path(data.manifest).parent
        assert data.folders is not None  # the recipe has one of the two
        return project_path(data.folders)

    @cached_property
    def known(self) -> Answers:
        """The test photographs of the sources that were trained on; raises LeftOut if there are none."""
        known = self.predictions.part(self.predictions.of_split("test") & self.predictions.has_label)
        if not len(known.labels):
            raise LeftOut("No photographs were kept back for testing.")
        return known

    def is_accepted(self, part: Answers) -> Flags:
        """Whether the gate accepts each answer."""
        return np.asarray(self.certainty(part) >= self.card.gate.threshold)

    def certainty(self, part: Answers) -> NDArray[np.float64]:
        """Return what the gate reads of each photograph: (N,), 0 to 1, by the arithmetic that serves."""
        rule = self.card.gate.rule
        if gate_score.needs_features(rule) and part.features is None:
            raise LeftOut(f"The gate reads features, and {self.folder.predictions.name} holds none.")
        measured = gate_score.measures(
            part.logits, temperature=self.card.temperature, features=part.features, geometry=self._geometry
        )
        return gate_score.certainty(rule, measured)

    @cached_property
    def _geometry(self) -> gate_score.Geometry | None:
        rule = self.card.gate.rule
        if rule is None or rule.features is None:
            return None
        path = self.folder.pack / rule.features.file
        if not path.is_file():
            raise _left_out(path)
        return gate_score.read_geometry(path)


def _left_out(path: Path) -> LeftOut:
    return LeftOut(f"The run folder has no {path.name}.")


def _read(path: Path) -> Any:
    if not path.is_file():
        raise _left_out(path)
    return json.loads(path.read_text(encoding="utf-8"))
