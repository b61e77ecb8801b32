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

from pydantic import Field, PositiveFloat, ValidationError, field_validator, model_validator

from fishgate.errors import CardError
from fishgate.gate_card import Certificate as Certificate
from fishgate.gate_card import Gate as Gate
from fishgate.gate_card import GateRule as GateRule
from fishgate.gate_card import GateScore as GateScore
from fishgate.gate_card import Measure as Measure
from fishgate.lineages import Lineages
from fishgate.preprocessing import Preprocessing
from fishgate.record import Record, explain
from fishgate.taxonomy import Taxon
from fishgate.weights import Weights as Weights
from fishgate.weights import checked_file
from fishgate.weights import sha256_of as sha256_of

# The names imported "as" themselves are parts of the card: whoever reads cards finds them all here.

CARD_FILE = "model_card.json"

_DECIDING: Any = {
    "architecture": True,
    "weights": {"sha256"},
    "preprocessing": True,
    "labels": True,
    "temperature": True,
    "gate": {"threshold", "rule"},
}
"""What ``fingerprint_of`` covers."""


class Kind(str, Enum):
    """The part a model plays in the cascade."""

    EXPERT = "expert"
    ZERO_SHOT = "zero_shot"


class Library(str, Enum):
    """The library that builds the network."""

    TORCHVISION = "torchvision"
    TIMM = "timm"
    FISHGATE = "fishgate"  # this project's own small network
    OPEN_CLIP = "open_clip"


class TextType(str, Enum):
    """How a taxon is written in a prompt; the names are BioCLIP's."""

    COMMON = "com"  # "Tilapia"
    SCIENTIFIC = "sci"  # "Oreochromis niloticus"
    SCIENTIFIC_COMMON = "sci_com"  # "Oreochromis niloticus with common name Tilapia"
    TAXON = "taxon"  # "Animalia Chordata … Oreochromis niloticus"
    TAXON_COMMON = "taxon_com"  # the former "with common name Tilapia"


class Architecture(Record):
    """Which network it is: a classifier by its name in torchvision, timm or ``fishgate.networks``, or an
    open_clip model with its own configuration (``embed_dim``, ``vision_cfg``, ``text_cfg``)."""

    library: Library
    name: str
    config: dict[str, Any] = Field(default_factory=dict)


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

    @model_validator(mode="after")
    def _gate_fits_kind(self) -> ModelCard:
        """Refuse what nothing would read: zero-shot's certainty is its confidence, and is not certified."""
        if self.kind is Kind.ZERO_SHOT and (self.gate.rule or self.gate.certificate):
            raise ValueError("only an expert's gate can have a rule or a certificate")
        return self

    @cached_property
    def taxa(self) -> tuple[Taxon, ...]:
        """The labels in the order of the model's outputs."""
        return tuple(self.labels[str(i)] for i in range(len(self.labels)))

    @cached_property
    def lineages(self) -> Lineages:
        """The labels grouped by taxon, for what is summed over them."""
        return Lineages.of(self.taxa)


def read_card(folder: Path, *, kind: Kind) -> ModelCard:
    """Read the card in ``folder``; raise CardError if it is missing, malformed or of another kind,
    or if its certificate was given to another model."""
    path = folder / CARD_FILE
    try:
        card = ModelCard.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise CardError(f"there is no {CARD_FILE} in the archive; build it with scripts/build_archives") from None
    except ValidationError as error:
        raise CardError(f"{CARD_FILE} is wrong: {explain(error)}; mend the card and build the archive again") from None
    if card.kind is not kind:
        raise CardError(f"the card of {card.name!r} is of kind {card.kind.value!r}, this worker needs {kind.value!r}")
    _check_certificate(card)
    return card


def write_card(card: ModelCard, folder: Path) -> None:
    """Write the card beside the weights, in a form that reads well in a diff."""
    value = card.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = json.dumps(value, indent=1, ensure_ascii=False)
    (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def checked_weights(card: ModelCard, folder: Path) -> Path:
    """Return the path of the weights; raise WeightsError if they are missing or differ from the card."""
    return checked_file(card.weights, folder, owner=card.name)


def fingerprint_of(card: ModelCard) -> str:
    """Return the SHA-256, in hex, of all in the card that decides an expert's answer and its acceptance.

    It is taken over JSON with sorted keys and without what is not set. Names, evidence, figures and
    the certificate itself have no part in it.
    """
    value = card.model_dump(mode="json", by_alias=True, exclude_none=True, include=_DECIDING)
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_certificate(card: ModelCard) -> None:
    """Refuse a promise that was made of another model, or of this one at another threshold."""
    certificate = card.gate.certificate
    if certificate is None:
        return
    seen = fingerprint_of(card)
    if certificate.model_sha256 != seen:
        raise CardError(
            f"the certificate of {card.name!r} was given to a model with fingerprint {certificate.model_sha256}, this "
            f"one has {seen}; the weights, labels, preprocessing, temperature, threshold or rule were changed since: "
            "run training/certify again, or take the certificate out of the card"
        )
