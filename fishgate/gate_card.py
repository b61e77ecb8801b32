"""The gate's part of a model card: from which certainty a model is believed, and what is promised then.

Owns the records and the checks that they make sense in themselves. How a certainty comes about,
``fishgate.gate_score`` knows; whether a certificate belongs to its card, ``fishgate.model_card``.
"""

from __future__ import annotations

from enum import Enum

from pydantic import Field, FiniteFloat, model_validator

from fishgate.record import Record
from fishgate.weights import Weights

_COVERAGE_ROUNDING = 5e-4  # a coverage may be written with three places


class GateScore(str, Enum):
    """What the gate reads off the expert's pass over a picture."""

    MAX_SOFTMAX = "max_softmax"  # the confidence itself
    MARGIN = "margin"
    ENERGY = "energy"
    FEATURE_DISTANCE = "feature_distance"
    LEARNED = "learned"


class Measure(str, Enum):
    """A number that one pass of the expert gives for a picture; what each is, ``fishgate.gate_score`` says."""

    LOG_ODDS = "log_odds"
    MARGIN = "margin"
    ENERGY = "energy"
    ENTROPY = "entropy"
    FEATURE_DISTANCE = "feature_distance"


_READ_BY = {
    GateScore.MAX_SOFTMAX: {Measure.LOG_ODDS},
    GateScore.MARGIN: {Measure.MARGIN},
    GateScore.ENERGY: {Measure.ENERGY},
    GateScore.FEATURE_DISTANCE: {Measure.FEATURE_DISTANCE},
    GateScore.LEARNED: set(Measure),
}
"""The measures that a rule of each score may weigh."""


class GateRule(Record):
    """How certain the expert is of its first name: sigmoid(intercept + Σ weight · measure), 0 to 1.

    ``features`` is the safetensors file that a feature distance needs, None where it has no part.
    """

    score: GateScore
    intercept: FiniteFloat
    weights: dict[Measure, FiniteFloat] = Field(min_length=1)
    features: Weights | None = None

    @model_validator(mode="after")
    def _measures_fit(self) -> GateRule:
        """Refuse a rule that weighs what its score does not read, or whose file of features is missing or idle."""
        foreign = sorted(measure.value for measure in set(self.weights) - _READ_BY[self.score])
        if foreign:
            allowed = ", ".join(sorted(measure.value for measure in _READ_BY[self.score]))
            raise ValueError(f"the score {self.score.value!r} weighs {allowed} only, not {foreign[0]!r}")
        if (Measure.FEATURE_DISTANCE in self.weights) != (self.features is not None):
            raise ValueError("features must be given exactly if feature_distance has a weight")
        return self


class Certificate(Record):
    """A promise with its proof: of the answers that the gate accepts, at most ``risk`` are wrong, with
    probability ``confidence`` over the draw of the calibration pictures, on pictures like those.

    ``pictures`` were drawn for calibration, ``accepted`` of them the gate accepts (``coverage``), and
    ``wrong`` of these are wrong. ``data_sha256`` is the fingerprint of the calibration set,
    ``model_sha256`` that of all in the card that decides an answer and its acceptance.
    """

    risk: float = Field(gt=0.0, lt=1.0)
    confidence: float = Field(gt=0.0, lt=1.0)
    method: str
    pictures: int = Field(ge=1)
    accepted: int = Field(ge=0)
    wrong: int = Field(ge=0)
    coverage: float = Field(ge=0.0, le=1.0)
    data_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    model_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _counts_fit(self) -> Certificate:
        """Refuse counts that contradict each other or the promise."""
        if self.accepted > self.pictures:
            raise ValueError(f"{self.accepted} accepted are more than the {self.pictures} pictures")
        if self.wrong > self.accepted:
            raise ValueError(f"{self.wrong} wrong are more than the {self.accepted} accepted")
        if abs(self.coverage - self.accepted / self.pictures) > _COVERAGE_ROUNDING:
            raise ValueError(f"coverage {self.coverage} is not {self.accepted} accepted of {self.pictures} pictures")
        if self.wrong > self.risk * self.accepted:
            raise ValueError(f"{self.wrong} wrong of {self.accepted} accepted are above the risk {self.risk}")
        return self


class Gate(Record):
    """The least certainty at which the model is believed, and why that much.

    For an expert: below it the picture goes on to zero-shot. For zero-shot: below it the answer
    rolls up to a higher rank. Without a ``rule`` the certainty is the confidence of the first name.
    """

    threshold: float = Field(ge=0.0, le=1.0)
    evidence: str
    rule: GateRule | None = None
    certificate: Certificate | None = None
