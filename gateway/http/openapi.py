"""What the OpenAPI page says of each address.

Owns the words for each, and which errors it can meet. Schemas of requests and replies stand in
``gateway.http.openapi_requests`` and ``gateway.http.openapi_replies``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fishgate.answer import Answer
from fishgate.errors import (
    DamagedImage,
    EmptyImage,
    ImageTooLarge,
    InternalError,
    InvalidOption,
    Overloaded,
    TimedOut,
    UnsupportedImage,
)
from gateway.errors import BadRequest, RateLimited, RequestTimeout, RequestTooLarge, ShuttingDown, Unauthorised
from gateway.http.catalogue import LIST_PARAMETER, AllSpecies, Models
from gateway.http.health import Alive, Ready
from gateway.http.openapi_replies import error_replies, line_replies, replies, text_replies
from gateway.http.openapi_requests import form, list_parameter, parameters, raw_bodies

Json = dict[Any, Any]

KEY_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}

_READING = (InvalidOption, BadRequest, RequestTimeout, InternalError, Overloaded, TimedOut)
_GUARD = (Unauthorised, RateLimited, ShuttingDown)


def operations(lists: Sequence[str]) -> dict[str, Json]:
    """Return, for each address, the arguments of its route; ``lists`` are the names of the species lists."""
    return {
        "/v1/identify": _identify(lists),
        "/v1/identify/batch": _batch(lists),
        "/v1/models": {
            "summary": "Which models run: cards, certificates, versions",
            "operation_id": "models",
            "responses": replies(Models, "The cards", errors=(*_GUARD, InvalidOption, Overloaded)),
        },
        "/v1/species": {
            "summary": "What can be named",
            "operation_id": "species",
            "responses": replies(AllSpecies, "Each species once", errors=(*_GUARD, InvalidOption, Overloaded)),
            "openapi_extra": {"parameters": list_parameter(LIST_PARAMETER, lists)},
        },
        "/livez": {
            "summary": "Whether the process runs",
            "operation_id": "live",
            "responses": replies(Alive, "It runs", errors=()),
        },
        "/readyz": {
            "summary": "Whether pictures can be identified: one has gone through the models",
            "operation_id": "ready",
            "responses": replies(Ready, "They can", errors=(Overloaded,)),
        },
        "/metrics": {
            "summary": "Figures for Prometheus",
            "operation_id": "metrics",
            "responses": {**text_replies("Prometheus' text format"), **error_replies((Unauthorised,))},
        },
    }


def _identify(lists: Sequence[str]) -> Json:
    pictures = (EmptyImage, ImageTooLarge, UnsupportedImage, DamagedImage)
    return {
        "summary": "Which fish is in a picture",
        "description": (
            "Send the picture as the body, with any content type but multipart, and options in the address; or send a "
            "form with the picture in the field `data` and options as further fields."
        ),
        "operation_id": "identify",
        "responses": replies(Answer, "The answer", errors=(*pictures, *_READING, *_GUARD)),
        "openapi_extra": {
            "parameters": parameters(lists),
            "requestBody": {"required": True, "content": {**raw_bodies(), **form(lists, many=False)}},
        },
    }


def _batch(lists: Sequence[str]) -> Json:
    return {
        "summary": "Which fish are in many pictures, a line each, in order, while they come",
        "description": (
            "Send a form with every picture in a field `data` of its own. Options hold for all pictures and stand "
            "before the first. The reply begins before the request has ended."
        ),
        "operation_id": "identify_batch",
        "responses": {**line_replies(), **error_replies((EmptyImage, RequestTooLarge, *_READING, *_GUARD))},
        "openapi_extra": {
            "parameters": parameters(lists),
            "requestBody": {"required": True, "content": form(lists, many=True)},
        },
    }
