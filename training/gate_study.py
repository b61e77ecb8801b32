"""Which score the gate should read: all candidates compared on pictures that they were not fitted on.

(being written; signatures are final)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fishgate.model_card import GateRule, GateScore
from training.gate_evidence import Evidence

ScoreFigures = dict[str, float]


@dataclass(frozen=True)
class Study:
    """The scores' figures, the one chosen, its rule (without ``features``: ``gate_rule_in`` adds it), and the temperature."""

    temperature: float
    scores: dict[GateScore, ScoreFigures]
    chosen: GateScore
    rule: GateRule

    def as_json(self) -> dict[str, object]:
        """For gate.json."""
        raise NotImplementedError

    def save_rule(self, folder: Path) -> GateRule:
        """Write the feature file if the rule needs one into the pack's folder; return the rule for the card."""
        raise NotImplementedError


def study(
    *, training: Evidence, validation: Evidence, outliers: Evidence, held_out: Evidence, risk: float, seed: int = 7
) -> Study:
    """training: the pictures trained on (features for the class means); validation: in-domain, fits temperature and rules;
    outliers: labels -1, domains tell other_species from non_fish (may be empty: then scores are judged on validation alone);
    held_out: the test split, only measured."""
    raise NotImplementedError
