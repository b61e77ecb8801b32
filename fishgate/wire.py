"""How requests, opinions, answers and errors look as bytes.

Owns the names of the form fields, the JSON of errors and the hand-over from expert to router. It
knows no server: it takes and gives plain values, so that handlers and gateway share it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from fishgate.answer import Answer, Opinion
from fishgate.errors import EmptyImage, FishgateError, InternalError, InvalidOption, error_for_code
from fishgate.options import Options, options_from_fields
from fishgate.record import Record, explain

PICTURE_FIELDS = ("data", "body", "picture", "image", "file")
"""Field names under which a picture is accepted; ``body`` is TorchServe's name of a raw body."""

_RESERVED_FIELDS = frozenset({"model_name"})  # TorchServe's own query parameter of /invocations

Field = bytes | bytearray | str
RecordT = TypeVar("RecordT", bound=Record)


@dataclass(frozen=True)
class Request:
    """One picture as it was sent, and what the client wants to know of it."""

    picture: bytes
    options: Options


class ErrorBody(Record):
    """What an error says: its HTTP status, its stable code word, and a message for people."""

    status: int
    code: str
    message: str


class ErrorReply(Record):
    """The reply to a request that could not be answered."""

    error: ErrorBody


class HandOver(Record):
    """What the router gets from the expert: JSON, small enough to be sent again and again.

    ``options`` are form fields. ``picture`` is the ticket under which the picture lies in the
    spool (``fishgate.spool``); None unless the gate may want the picture.
    """

    opinion: Opinion
    options: dict[str, str]
    picture: str | None


def request_from_fields(fields: Mapping[str, Field]) -> Request:
    """Read a request from the fields of a form; raise EmptyImage or InvalidOption."""
    named = [name for name in PICTURE_FIELDS if name in fields]
    if not named:
        raise EmptyImage(f"the request carries no picture; send it as raw body or in the field {PICTURE_FIELDS[0]!r}")
    if len(named) > 1:
        raise InvalidOption(f"one picture a request, got the fields {named[0]!r} and {named[1]!r}")
    options = {
        name: _text(name, value) for name, value in fields.items() if name != named[0] and name not in _RESERVED_FIELDS
    }
    return Request(picture=_bytes(fields[named[0]]), options=options_from_fields(options))


def reply(result: Answer | Opinion | HandOver | FishgateError) -> bytes:
    """Return the JSON of an answer, an opinion, a hand-over or an error."""
    record = error_reply(result) if isinstance(result, FishgateError) else result
    return record.model_dump_json().encode()


def error_reply(error: FishgateError) -> ErrorReply:
    """Return the record of an error."""
    return ErrorReply(error=ErrorBody(status=error.status, code=error.code, message=str(error)))


def opinion_from_json(body: bytes) -> Opinion:
    """Read a model's reply; raise the error that it carries, or InternalError if it is neither."""
    return _read(body, Opinion)


def hand_over_from_json(body: bytes) -> HandOver:
    """Read what the expert handed over; raise the error that it reported instead."""
    value = _object(body)
    if "opinion" not in value:
        # The expert took the request for a direct one, because it looked like one.
        raise InvalidOption("the request headers 'explain' and 'url_path' are TorchServe's own; leave them out")
    return _read(body, HandOver)


def _read(body: bytes, kind: type[RecordT]) -> RecordT:
    return _record(_object(body), kind)


def _record(value: dict[str, Any], kind: type[RecordT]) -> RecordT:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise InternalError(f"a model's reply cannot be read: {explain(error)}") from None


def _object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a reply; raise the error that it carries."""
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InternalError("a model answered with something that is no JSON object")
    if "error" in value:
        error = _record(value, ErrorReply).error
        raise error_for_code(error.code, error.message)
    return value


def _bytes(value: Field) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _text(name: str, value: Field) -> str:
    try:
        return value if isinstance(value, str) else bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidOption(f"the option {name[:50]!r} is not text in UTF-8") from None
