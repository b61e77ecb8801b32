"""The model card: everything that must travel together with a model's weights.

Owns the record, how it is read and written, and the checks that refuse to serve a model wrongly.
It does not build the model; ``fishgate.expert`` and ``fishgate.zero_shot`` do.
"""

from __future__ import annotations

import hashlib
import json
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveFloat, ValidationError, field_validator

from fishgate.errors import CardError, WeightsError
from fishgate.preprocessing import Preprocessing
from fishgate.record import Record, explain
from fishgate.taxonomy import Taxon

CARD_FILE = "model_card.json"


class Kind(str, Enum):
    """The part a model plays in the cascade."""

    EXPERT = "expert"
    ZERO_SHOT = "zero_shot"


class Library(str, Enum):
    """The library that builds the network."""

    TORCHVISION = "torchvision"
    TIMM = "timm"
    OPEN_CLIP = "open_clip"


class TextType(str, Enum):
    """How a taxon is written in a prompt; the names are BioCLIP's."""

    COMMON = "com"  # "Tilapia"
    SCIENTIFIC = "sci"  # "Oreochromis niloticus"
    SCIENTIFIC_COMMON = "sci_com"  # "Oreochromis niloticus with common name Tilapia"
    TAXON = "taxon"  # "Animalia Chordata … Oreochromis niloticus"
    TAXON_COMMON = "taxon_com"  # the former "with common name Tilapia"


class Architecture(Record):
    """Which network it is: a name of ``torchvision.models``, or an open_clip model with its
    own configuration (``embed_dim``, ``vision_cfg``, ``text_cfg``)."""

    library: Library
    name: str
    config: dict[str, Any] = Field(default_factory=dict)


class Weights(Record):
    """The weights file beside the card, in safetensors form, and its SHA-256 in hex."""

    file: str = Field(pattern=r"^[\w.-]+\.safetensors$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


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


class GateRule(Record):
    """How certain the expert is of its first name: sigmoid(intercept + Σ weight · measure), 0 to 1.

    ``features`` is the safetensors file that a feature distance needs, None where it has no part.
    """

    score: GateScore
    intercept: float
    weights: dict[Measure, float] = Field(min_length=1)
    features: Weights | None = None


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


class Gate(Record):
    """The least certainty at which the model is believed, and why that much.

    For an expert: below it the picture goes on to zero-shot. For zero-shot: below it the answer
    rolls up to a higher rank. Without a ``rule`` the certainty is the confidence of the first name.
    """

    threshold: float = Field(ge=0.0, le=1.0)
    evidence: str
    rule: GateRule | None = None
    certificate: Certificate | None = None


class Prompts(Record):
    """How zero-shot turns the labels of its card into text."""

    text_type: TextType = TextType.SCIENTIFIC_COMMON


class ModelCard(Record):
    """One model, as read from ``model_card.json``."""

    name: str
    version: str = Field(min_length=1)
    kind: Kind
    architecture: Architecture
    weights: Weights
    preprocessing: Preprocessing
    labels: dict[str, Taxon]
    temperature: PositiveFloat = 1.0
    gate: Gate
    prompts: Prompts = Prompts()
    training: dict[str, Any]
    metrics: dict[str, Any]
    limits: str
    licence: str

    @field_validator("labels")
    @classmethod
    def _labels_are_numbered(cls, labels: dict[str, Taxon]) -> dict[str, Taxon]:
        """Refuse a label table that is off by one, has a hole, or names two outputs alike."""
        missing = [str(i) for i in range(len(labels)) if str(i) not in labels]
        if missing or not labels:
            seen = f"{len(labels)} labels, but none for output {missing[0] if missing else 0}"
            raise ValueError(f"the keys must be exactly 0 … n-1; there are {seen}")
        names = [taxon.label for taxon in labels.values()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two outputs have the same label {twice[0]!r}")
        return labels

    @cached_property
    def taxa(self) -> tuple[Taxon, ...]:
        """The labels in the order of the model's outputs."""
        return tuple(self.labels[str(i)] for i in range(len(self.labels)))


def read_card(folder: Path, *, kind: Kind) -> ModelCard:
    """Read the card in ``folder``; raise CardError if it is missing, malformed or of another kind."""
    path = folder / CARD_FILE
    try:
        card = ModelCard.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise CardError(f"there is no {CARD_FILE} in the archive; build it with scripts/build_archives") from None
    except ValidationError as error:
        raise CardError(f"{CARD_FILE} is wrong: {explain(error)}; mend the card and build the archive again") from None
    if card.kind is not kind:
        raise CardError(f"the card of {card.name!r} is of kind {card.kind.value!r}, this worker needs {kind.value!r}")
    return card


def write_card(card: ModelCard, folder: Path) -> None:
    """Write the card beside the weights, in a form that reads well in a diff."""
    value = card.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = json.dumps(value, indent=1, ensure_ascii=False)
    (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def checked_weights(card: ModelCard, folder: Path) -> Path:
    """Return the path of the weights; raise WeightsError if they are missing or differ from the card."""
    path = folder / card.weights.file
    if not path.is_file():
        raise WeightsError(f"the weights {card.weights.file!r} that the card of {card.name!r} names are missing")
    seen = sha256_of(path)
    if seen != card.weights.sha256:
        raise WeightsError(
            f"the weights of {card.name!r} have SHA-256 {seen}, the card says {card.weights.sha256}; "
            "restore the file or write the card anew"
        )
    return path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
