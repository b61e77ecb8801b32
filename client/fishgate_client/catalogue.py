"""What the server can name, and with which models, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fishgate_client.answer import Certificate, certificate_from
from fishgate_client.errors import BadReply
from fishgate_client.fields import needed, objects, part, wanted


@dataclass(frozen=True)
class Taxon:
    """One thing that can be named. The higher ranks are None where the server does not tell them."""

    label: str
    scientific_name: str | None = None
    rank: str | None = None
    genus: str | None = None
    family: str | None = None
    order: str | None = None


@dataclass(frozen=True)
class Model:
    """One model that the server runs; ``card`` is all that the server tells of it, as it came.

    ``threshold`` is the certainty from which it is believed, ``certificate`` what is proved of that, ``labels`` what
    it can name, where the card tells that.
    """

    name: str
    version: str
    threshold: float | None
    certificate: Certificate | None
    labels: tuple[Taxon, ...]
    card: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)


@dataclass(frozen=True)
class Models:
    """The models of a server, and the names of its species lists."""

    expert: Model
    zero_shot: Model | None
    species_lists: tuple[str, ...]


@dataclass(frozen=True)
class Species(Taxon):
    """One taxon that the server can name, and which models know it: ``expert``, ``zero_shot``."""

    models: tuple[str, ...] = ()


def models_from(reply: Mapping[str, Any]) -> Models:
    """Read ``GET /v1/models``; raise BadReply if it is something else."""
    zero_shot = wanted(reply, "zero_shot", dict)
    return Models(
        expert=_model(part(reply, "expert")),
        zero_shot=None if zero_shot is None else _model(zero_shot),
        species_lists=_texts(reply, "species_lists"),
    )


def species_from(reply: Mapping[str, Any]) -> tuple[Species, ...]:
    """Read ``GET /v1/species``; raise BadReply if it is something else."""
    return tuple(Species(**_taxon(one), models=_texts(one, "models")) for one in objects(reply, "species"))


def _model(card: Mapping[str, Any]) -> Model:
    gate = wanted(card, "gate", dict) or {}
    certificate = wanted(gate, "certificate", dict)
    return Model(
        name=needed(card, "name", str),
        version=needed(card, "version", str),
        threshold=wanted(gate, "threshold", float),
        certificate=None if certificate is None else certificate_from(certificate),
        labels=_labels(card),
        card=card,
    )


def _labels(card: Mapping[str, Any]) -> tuple[Taxon, ...]:
    # A card has them by number; a card of another form is no reason not to identify anything.
    labels = card.get("labels")
    values = list(labels.values()) if isinstance(labels, dict) else []
    return tuple(Taxon(**_taxon(one)) for one in values if isinstance(one, dict) and "label" in one)


def _taxon(fields: Mapping[str, Any]) -> dict[str, Any]:
    optional = ("scientific_name", "rank", "genus", "family", "order")
    return {"label": needed(fields, "label", str), **{name: wanted(fields, name, str) for name in optional}}


def _texts(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values: list[Any] = needed(fields, name, list)
    if not all(isinstance(value, str) for value in values):
        raise BadReply(f"the reply cannot be read: {name!r} holds something that is no text")
    return tuple(values)
