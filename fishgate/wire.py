"""How requests, opinions, answers and errors look as bytes.

Owns the names of the form fields, the JSON of errors and the hand-over from expert to router. It
knows no server: it takes and gives plain values, so that handlers and gateway share it.

The hand-over is ``FGH1``, the length of a JSON header as four bytes (big-endian), the header, and
then the picture as it was sent. Base64 inside JSON would cost a third more bytes and two copies.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from fishgate.answer import Answer, Opinion
from fishgate.errors import EmptyImage, FishgateError, InternalError, InvalidOption, error_for_code
from fishgate.options import Options, options_from_fields, options_to_fields
from fishgate.record import Record, explain

PICTURE_FIELDS = ("data", "body", "picture", "image", "file")
"""Field names under which a picture is accepted; ``body`` is TorchServe's name of a raw body."""

_RESERVED_FIELDS = frozenset({"model_name"})  # TorchServe's own query parameter of /invocations
_MAGIC = b"FGH1"
_LENGTH = struct.Struct("!I")

Field = bytes | bytearray | str


@dataclass(frozen=True)
class Request:
    """One picture as it was sent, and what the client wants to know of it."""

    picture: bytes
    options: Options


@dataclass(frozen=True)
class HandOver:
    """What the router gets from the expert; ``picture`` is None unless the gate may want it."""

    opinion: Opinion
    options: Options
    picture: bytes | None


class _HandOverHeader(Record):
    opinion: Opinion
    options: dict[str, str]


def request_from_fields(fields: Mapping[str, Field]) -> Request:
    """Read a request from the fields of a form; raise EmptyImage or InvalidOption."""
    named = [name for name in PICTURE_FIELDS if name in fields]
    if not named:
        raise EmptyImage(f"the request carries no picture; send it as raw body or in the field {PICTURE_FIELDS[0]!r}")
    if len(named) > 1:
        raise InvalidOption(f"one picture a request, got the fields {named[0]!r} and {named[1]!r}")
    options = {
        name: _text(name, value)
        for name, value in fields.items()
        if name != named[0] and name not in _RESERVED_FIELDS
    }
    return Request(picture=_bytes(fields[named[0]]), options=options_from_fields(options))


def reply(result: Answer | Opinion | FishgateError) -> bytes:
    """Return the JSON of an answer, an opinion or an error."""
    if isinstance(result, FishgateError):
        return json.dumps(error_to_json(result), ensure_ascii=False).encode()
    return result.model_dump_json().encode()


def error_to_json(error: FishgateError) -> dict[str, dict[str, str | int]]:
    """Return the JSON object of an error."""
    return {"error": {"status": error.status, "code": error.code, "message": str(error)}}


def opinion_from_json(body: bytes) -> Opinion:
    """Read a model's reply; raise the error that it carries, or InternalError if it is neither."""
    try:
        value = json.loads(body)
    except ValueError:
        raise InternalError("a model answered with something that is not JSON") from None
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        error = value["error"]
        raise error_for_code(str(error.get("code")), str(error.get("message")))
    try:
        return Opinion.model_validate(value)
    except ValidationError as error:
        raise InternalError(f"a model's reply is no opinion: {explain(error)}") from None


def pack_hand_over(hand_over: HandOver) -> bytes:
    """Return the bytes that ``unpack_hand_over`` reads back."""
    header = _HandOverHeader(opinion=hand_over.opinion, options=options_to_fields(hand_over.options))
    text = header.model_dump_json().encode()
    return b"".join((_MAGIC, _LENGTH.pack(len(text)), text, hand_over.picture or b""))


def unpack_hand_over(body: bytes) -> HandOver:
    """Read what the expert handed over; raise the error that it reported instead.

    A plain opinion is read as well, then without options and picture: the expert gives it to a
    request that looks like a direct one.
    """
    if not body.startswith(_MAGIC):
        return HandOver(opinion_from_json(body), Options(), None)
    start = len(_MAGIC) + _LENGTH.size
    (length,) = _LENGTH.unpack(body[len(_MAGIC) : start])
    header = _HandOverHeader.model_validate_json(body[start : start + length])
    options = options_from_fields(header.options)
    return HandOver(header.opinion, options, bytes(body[start + length :]) or None)


def _bytes(value: Field) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _text(name: str, value: Field) -> str:
    try:
        return value if isinstance(value, str) else bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidOption(f"the option {name[:50]!r} is not text in UTF-8") from None
