"""What the server can name, and with which models, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fishgate_client.answer import Certificate, certificate_from
from fishgate_client.errors import BadReply
from fishgate_client.fields import needed, objects, part, wanted


@dataclass(frozen=True)
class Model:
    """One model that the server runs; ``card`` is all that the server tells of it, as it came.

    ``threshold`` is the certainty from which it is believed, ``certificate`` what is proved of that.
    """

    name: str
    version: str
    threshold: float | None
    certificate: Certificate | None
    card: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)


@dataclass(frozen=True)
class Models:
    """The models of a server, and the names of its species lists."""

    expert: Model
    zero_shot: Model | None
    species_lists: tuple[str, ...]


@dataclass(frozen=True)
class Species:
    """One taxon that the server can name, and which models know it: ``expert``, ``zero_shot``.

    The higher ranks are None where the server does not tell them.
    """

    label: str
    scientific_name: str | None
    rank: str | None
    models: tuple[str, ...]
    genus: str | None = None
    family: str | None = None
    order: str | None = None


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
    return tuple(_species(one) for one in objects(reply, "species"))


def _model(card: Mapping[str, Any]) -> Model:
    gate = wanted(card, "gate", dict) or {}
    certificate = wanted(gate, "certificate", dict)
    return Model(
        name=needed(card, "name", str),
        version=needed(card, "version", str),
        threshold=wanted(gate, "threshold", float),
        certificate=None if certificate is None else certificate_from(certificate),
        card=card,
    )


def _species(fields: Mapping[str, Any]) -> Species:
    return Species(
        label=needed(fields, "label", str),
        models=_texts(fields, "models"),
        **{name: wanted(fields, name, str) for name in ("scientific_name", "rank", "genus", "family", "order")},
    )


def _texts(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values: list[Any] = needed(fields, name, list)
    if not all(isinstance(value, str) for value in values):
        raise BadReply(f"the reply cannot be read: {name!r} holds something that is no text")
    return tuple(values)
