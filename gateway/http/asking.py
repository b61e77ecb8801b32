"""From an HTTP request to a picture and its options.

Owns where both may stand: the picture as raw body or in a form, options in the address or in the form. What they
mean is ``fishgate.options``' business.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from urllib.parse import parse_qsl

from starlette.requests import Request

from fishgate.errors import FishgateError, ImageTooLarge, InvalidOption
from fishgate.options import options_from_fields
from fishgate.wire import PICTURE_FIELDS, request_from_fields
from fishgate.wire import Request as Asked
from gateway.http.body import Body
from gateway.http.forms import FormLimits, FormReader, Part, is_form
from gateway.places import Holding
from gateway.settings import Settings

DEADLINE_HEADER = "x-deadline-ms"
_MOST_FIELDS = 32
_FORM_BYTES_BESIDE = 65_536  # boundaries and the parts' headers


async def read_asked(request: Request, settings: Settings, holding: Holding) -> Asked:
    """Read the one picture of a request, and its options.

    Raises EmptyImage, ImageTooLarge, InvalidOption, BadRequest, RequestTimeout or Overloaded; HungUp if the client
    goes.
    """
    fields = query_fields(request)
    content_type = request.headers.get("content-type", "")
    if is_form(content_type):
        return await _read_form(request, content_type, fields, settings, holding)
    options = options_from_fields(fields)  # before the picture is waited for
    most = settings.max_picture_bytes
    body = Body(request, most_bytes=most, limit_s=settings.body_limit_s, too_large=lambda seen: _too_large(seen, most))
    pieces = []
    async for piece in body.chunks():
        holding.add(len(piece))
        pieces.append(piece)
    return Asked(picture=pieces[0] if len(pieces) == 1 else b"".join(pieces), options=options)


def query_fields(request: Request) -> dict[str, str]:
    """Return the options that stand in the address; raise InvalidOption for one that stands there twice."""
    query = request.scope["query_string"]
    if not query:
        return {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:  # UnicodeDecodeError is one
        raise InvalidOption("the options in the address cannot be read; write them in UTF-8, percent-encoded") from None
    return each_once(pairs)


def each_once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return options by name; raise InvalidOption if one is there twice."""
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise InvalidOption(f"the option {name[:50]!r} was given twice")
        fields[name] = value
    return fields


def option_text(part: Part) -> tuple[str, str]:
    """Return name and value of an option in a form; raise InvalidOption if it is no text."""
    try:
        return part.name, part.content.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidOption(f"the option {part.name[:50]!r} is not text in UTF-8") from None


def form_limits(settings: Settings, *, pictures: int) -> FormLimits:
    """Return how large the parts of a form may be."""
    return FormLimits(picture_bytes=settings.max_picture_bytes, option_bytes=settings.field_bytes, pictures=pictures)


def deadline_s(request: Request, settings: Settings) -> float:
    """Return when the answer to a picture that has just been read must be there, as a time of ``time.monotonic()``.

    The client may ask for less time than the gateway allows. Raises InvalidOption.
    """
    text = request.headers.get(DEADLINE_HEADER)
    if text is None:
        return time.monotonic() + settings.deadline_s
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) > 0):
        raise InvalidOption(f"X-Deadline-Ms must be a whole number of milliseconds from 1, got {text[:50]!r}")
    return time.monotonic() + min(settings.deadline_s, int(text) / 1000.0)


async def _read_form(
    request: Request, content_type: str, fields: dict[str, str], settings: Settings, holding: Holding
) -> Asked:
    most = settings.max_picture_bytes
    whole = most + settings.field_bytes + _FORM_BYTES_BESIDE
    body = Body(request, most_bytes=whole, limit_s=settings.body_limit_s, too_large=lambda seen: _too_large(seen, most))
    reader = FormReader(content_type, form_limits(settings, pictures=len(PICTURE_FIELDS)), holding)
    parts: list[Part] = []
    async for piece in body.chunks():
        parts += reader.feed(piece)
    reader.finish()
    return _from_parts(parts, fields)


def _from_parts(parts: list[Part], fields: dict[str, str]) -> Asked:
    pictures = [part for part in parts if part.is_picture]
    for part in pictures:
        if part.refusal is not None:
            raise part.refusal
    if len(pictures) > 1:
        raise InvalidOption(f"one picture a request, got {len(pictures)}; send many to /v1/identify/batch")
    # What stands in the form goes before what stands in the address.
    options = {**fields, **each_once(option_text(part) for part in parts if not part.is_picture)}
    # Whatever a file's field is called, it is the picture.
    named = zip(PICTURE_FIELDS, (part.content for part in pictures), strict=False)
    return request_from_fields({**options, **dict(named)})


def _too_large(seen: str, most: int) -> FishgateError:
    return ImageTooLarge(f"the picture has {seen}; allowed are {most:,}")
