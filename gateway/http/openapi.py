"""What the OpenAPI page says of each address.

Owns parameters, bodies, replies and their examples. Records give the schemas; what a request may carry is taken from
the same constants that the reading of it uses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fishgate.answer import Answer
from fishgate.errors import (
    DamagedImage,
    EmptyImage,
    FishgateError,
    ImageTooLarge,
    InternalError,
    InvalidOption,
    Overloaded,
    TimedOut,
    UnsupportedImage,
)
from fishgate.images import FORMATS_TEXT
from fishgate.options import DEFAULT_TOP_K, MAX_LABEL_CHARACTERS, MAX_LABELS, MAX_TOP_K
from fishgate.record import Record
from fishgate.wire import PICTURE_FIELDS, ErrorBody, ErrorReply, error_reply
from gateway.errors import BadRequest, RateLimited, RequestTimeout, RequestTooLarge, ShuttingDown, Unauthorised
from gateway.http.catalogue import LIST_PARAMETER, AllSpecies, Models
from gateway.http.health import Alive, Ready
from gateway.http.lines import MEDIA_TYPE

Json = dict[Any, Any]

KEY_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}

RAW_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
"""Any type is taken for a raw body; these are named."""

_READING = (InvalidOption, BadRequest, RequestTimeout, InternalError, Overloaded, TimedOut)
_GUARD = (Unauthorised, RateLimited, ShuttingDown)


class BatchLine(Record):
    """One line: the picture's place in the request from 0, how its file was called, and its answer or its error.

    A last line whose ``file`` is null tells why the rest of the form could not be read.
    """

    index: int
    file: str | None
    answer: Answer | None = None
    error: ErrorBody | None = None


def operations(lists: Sequence[str]) -> dict[str, Json]:
    """Return, for each address, the arguments of its route; ``lists`` are the names of the species lists."""
    return {
        "/v1/identify": _identify(lists),
        "/v1/identify/batch": _batch(lists),
        "/v1/models": {
            "summary": "Which models run: cards, certificates, versions",
            "operation_id": "models",
            "responses": _replies(Models, "The cards", errors=(*_GUARD, InvalidOption, Overloaded)),
        },
        "/v1/species": {
            "summary": "What can be named",
            "operation_id": "species",
            "responses": _replies(AllSpecies, "Each species once", errors=(*_GUARD, InvalidOption, Overloaded)),
            "openapi_extra": {"parameters": _list_parameter(LIST_PARAMETER, lists)},
        },
        "/livez": {
            "summary": "Whether the process runs",
            "operation_id": "live",
            "responses": _replies(Alive, "It runs", errors=()),
        },
        "/readyz": {
            "summary": "Whether pictures can be identified: one has gone through the models",
            "operation_id": "ready",
            "responses": _replies(Ready, "They can", errors=(Overloaded,)),
        },
        "/metrics": {
            "summary": "Figures for Prometheus",
            "operation_id": "metrics",
            "responses": {
                200: {
                    "description": "Prometheus' text format",
                    "content": {"text/plain": {"schema": {"type": "string"}}},
                },
                **_errors((Unauthorised,)),
            },
        },
    }


def _identify(lists: Sequence[str]) -> Json:
    raw = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in RAW_TYPES}
    form = {"multipart/form-data": _form({PICTURE_FIELDS[0]: _PICTURE}, lists)}
    pictures = (EmptyImage, ImageTooLarge, UnsupportedImage, DamagedImage)
    return {
        "summary": "Which fish is in a picture",
        "description": (
            "Send the picture as the body, with any content type but multipart, and options in the address; or send a "
            "form with the picture in the field `data` and options as further fields."
        ),
        "operation_id": "identify",
        "responses": _replies(Answer, "The answer", errors=(*pictures, *_READING, *_GUARD)),
        "openapi_extra": {
            "parameters": [*_options(lists), *_HEADERS],
            "requestBody": {"required": True, "content": {**raw, **form}},
        },
    }


def _batch(lists: Sequence[str]) -> Json:
    many = {PICTURE_FIELDS[0]: {"type": "array", "items": _PICTURE, "minItems": 1}}
    errors = _errors((EmptyImage, RequestTooLarge, *_READING, *_GUARD))
    schema = BatchLine.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {
        "summary": "Which fish are in many pictures, a line each, in order, while they come",
        "description": (
            "Send a form with every picture in a field `data` of its own. Options hold for all pictures and stand "
            "before the first. The reply begins before the request has ended."
        ),
        "operation_id": "identify_batch",
        "responses": {
            200: {
                "description": "A line of JSON for each picture",
                "content": {MEDIA_TYPE: {"schema": schema}},
            },
            **errors,
        },
        "openapi_extra": {
            "parameters": [*_options(lists), *_HEADERS],
            "requestBody": {"required": True, "content": {"multipart/form-data": _form(many, lists)}},
        },
    }


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


def _options(lists: Sequence[str]) -> list[Json]:
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
    return [*plain, labels, *_list_parameter("species_list", lists)]


def _list_parameter(name: str, lists: Sequence[str]) -> list[Json]:
    """Return the parameter that names a list; nothing where there are none to name."""
    if not lists:
        return []
    schema = {"type": "string", "enum": list(lists)}
    return [{"name": name, "in": "query", "description": _TEXTS["species_list"], "schema": schema}]


def _form(pictures: Json, lists: Sequence[str]) -> Json:
    fields = {**_SCHEMAS, "labels": _LABELS}
    if lists:
        fields["species_list"] = {"type": "string", "enum": list(lists)}
    told = {name: {**schema, "description": _TEXTS[name]} for name, schema in fields.items()}
    return {
        "schema": {
            "type": "object",
            # Options stand first: in a batch they must.
            "properties": {**told, **pictures},
            "required": list(pictures),
            "additionalProperties": False,
        },
        "encoding": {"labels": {"contentType": "application/json"}},
    }


def _replies(record: type[Record], told: str, *, errors: Sequence[type[FishgateError]]) -> Json:
    return {200: {"model": record, "description": told}, **_errors(errors)}


def _errors(errors: Sequence[type[FishgateError]]) -> Json:
    """Return the replies by status, with an example for each code."""
    replies: Json = {}
    for error in errors:
        reply = replies.setdefault(
            error.status, {"model": ErrorReply, "content": {"application/json": {"examples": {}}}}
        )
        examples = reply["content"]["application/json"]["examples"]
        examples.setdefault(error.code, {"value": error_reply(_instance(error)).model_dump(mode="json")})
        reply["description"] = ", ".join(examples)
    return replies


def _instance(error: type[FishgateError]) -> FishgateError:
    told = re.split(r"[;.]", error.__doc__ or "")[0]
    return RateLimited(told, retry_after_s=1.0) if error is RateLimited else error(told)
