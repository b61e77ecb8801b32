"""What the OpenAPI page says of requests: parameters, headers, bodies.

Owns their schemas and words. What a request may carry is taken from the same constants that the reading of it uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fishgate.images import FORMATS_TEXT
from fishgate.options import DEFAULT_TOP_K, MAX_LABEL_CHARACTERS, MAX_LABELS, MAX_TOP_K
from fishgate.wire import PICTURE_FIELDS

Json = dict[Any, Any]

_RAW_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
"""Any type is taken for a raw body; these are named."""


def raw_bodies() -> Json:
    """Return the bodies that are one picture."""
    return {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _RAW_TYPES}


def form(lists: Sequence[str], *, many: bool) -> Json:
    """Return the body that is a form with one picture or many; ``lists`` may be picked by name."""
    fields = {**_SCHEMAS, "labels": _LABELS}
    if lists:
        fields["species_list"] = {"type": "string", "enum": list(lists)}
    told = {name: {**schema, "description": _TEXTS[name]} for name, schema in fields.items()}
    pictures = {"type": "array", "items": _PICTURE, "minItems": 1} if many else _PICTURE
    schema = {
        "type": "object",
        # Options stand first: in a batch they must.
        "properties": {**told, PICTURE_FIELDS[0]: pictures},
        "required": [PICTURE_FIELDS[0]],
        "additionalProperties": False,
    }
    return {"multipart/form-data": {"schema": schema, "encoding": {"labels": {"contentType": "application/json"}}}}


def parameters(lists: Sequence[str]) -> list[Json]:
    """Return options and headers of a request with pictures."""
    plain = [
        {
            "name": name,
            "in": "query",
            "description": _TEXTS[name],
            "schema": schema,
        }
        for name, schema in _SCHEMAS.items()
    ]
    labels = {
        "name": "labels",
        "in": "query",
        "description": _TEXTS["labels"],
        "content": {"application/json": {"schema": _LABELS}},
    }
    return [*plain, labels, *list_parameter("species_list", lists), *_HEADERS]


def list_parameter(name: str, lists: Sequence[str]) -> list[Json]:
    """Return the parameter that names a list; nothing where there are none to name."""
    if not lists:
        return []
    schema = {"type": "string", "enum": list(lists)}
    return [{"name": name, "in": "query", "description": _TEXTS["species_list"], "schema": schema}]


_PICTURE: Json = {"type": "string", "format": "binary", "description": f"A {FORMATS_TEXT} file."}

_LABELS: Json = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": MAX_LABEL_CHARACTERS, "format": "printable"},
    "minItems": 1,
    "maxItems": MAX_LABELS,
    "uniqueItems": True,
}

_TEXTS: dict[str, str] = {
    "top_k": "How many candidates the answer names.",
    "threshold": "The certainty from which the expert is believed; without it the model card's.",
    "labels": "Your own candidate names, as a JSON list; they differ in more than case. Not together with a list.",
    "species_list": "A list of candidates that the server holds. Not together with labels.",
}

_SCHEMAS: dict[str, Json] = {
    "top_k": {"type": "integer", "minimum": 1, "maximum": MAX_TOP_K, "default": DEFAULT_TOP_K},
    "threshold": {"type": "number", "minimum": 0, "maximum": 1},
}

_HEADERS: list[Json] = [
    {
        "name": "X-Deadline-Ms",
        "in": "header",
        "description": "How many milliseconds the answer may take, if less than the gateway allows.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    },
    {
        "name": "X-Request-Id",
        "in": "header",
        "description": "Your own id of the request, 1 to 128 printable ASCII characters; it stands in reply and log.",
        "schema": {"type": "string"},
    },
    {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context: the trace that the request belongs to.",
        "schema": {"type": "string"},
    },
]
