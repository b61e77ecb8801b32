"""What goes over the wire: a request as plain values, and a reply as it is read.

Owns multipart bodies, the reading of error replies and of ``Retry-After``. It opens no connection: the two transports
(``http.py`` and ``async_http.py``) send what is made here, so that both say and understand the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from urllib3.filepost import encode_multipart_formdata

from fishgate_client.errors import BadReply, FishgateError, Unauthorised, class_for

BINARY = "application/octet-stream"
SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Request:
    """One HTTP request, without address and key."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str | None = None


@dataclass(frozen=True)
class Reply:
    """One HTTP reply; ``headers`` are looked up whatever their case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def object(self) -> dict[str, Any]:
        """Return the JSON object that the reply carries; raise the error that it reports, or BadReply."""
        value = json_object(self.body)
        if value is not None and "error" in value:
            raise error_from(value, status=self.status, headers=self.headers)
        if value is not None and is_of_torchserve(value):
            raise _from_torchserve(value, status=self.status, headers=self.headers)
        if self.status != 200:
            raise _without_code(self)
        if value is None:
            raise BadReply(f"the reply is no JSON object: {_shown(self.body)!r}")
        return value


def post_picture(path: str, picture: bytes, fields: Mapping[str, str]) -> Request:
    """Return a request with one picture, and options as query parameters where they are short."""
    if "labels" in fields:  # a hundred names would make an address that no server takes
        return post_form(path, [picture], fields)
    return Request("POST", path, query=fields, body=picture, content_type=BINARY)


def post_form(path: str, pictures: Sequence[bytes], fields: Mapping[str, str]) -> Request:
    """Return a multipart request with pictures in the field ``data``, called by their number, and options."""
    parts: list[tuple[str, Any]] = list(fields.items())
    # Numbers, not file names: what a folder is called is not the server's business.
    parts += [("data", (str(number), picture, BINARY)) for number, picture in enumerate(pictures)]
    body, content_type = encode_multipart_formdata(parts)
    return Request("POST", path, body=body, content_type=content_type)


def error_from(value: Mapping[str, Any], *, status: int, headers: Mapping[str, str]) -> FishgateError:
    """Return the error that an error reply or a line of a batch reports."""
    body = value.get("error")
    if not isinstance(body, dict):
        return BadReply(f"the reply reports an error that cannot be read: {str(body)[:SHOWN_CHARACTERS]!r}")
    code, own = body.get("code"), body.get("status")
    status = own if isinstance(own, int) else status
    code = code if isinstance(code, str) else None
    return class_for(code, status)(
        str(body.get("message") or code or status), code=code, status=status, **_circumstances(headers)
    )


def json_object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object in ``data``, or None if it is something else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def retry_after_s(text: str | None) -> float | None:
    """Read ``Retry-After``, seconds or a date; None if it is absent or neither."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return max(0.0, (when - datetime.now(timezone.utc)).total_seconds())


def is_of_torchserve(value: Mapping[str, Any]) -> bool:
    """Tell whether this is TorchServe's own error, which has another form: code, type, message."""
    return {"code", "type", "message"} <= value.keys()


def _from_torchserve(value: Mapping[str, Any], *, status: int, headers: Mapping[str, str]) -> FishgateError:
    # TorchServe answers a wrong token with 400 or 403, which it shares with other errors.
    is_about_token = "token" in str(value["message"]).lower() and status in (400, 401, 403)
    kind = Unauthorised if is_about_token else class_for(None, status)
    return kind(f"TorchServe: {value['message']}", **_circumstances(headers))


def _without_code(reply: Reply) -> FishgateError:
    """Return the error of a status without Fishgate's JSON: a proxy, or another program."""
    kind = class_for(None, reply.status)
    message = f"the server answered with status {reply.status} and not in Fishgate's form: {_shown(reply.body)!r}"
    if 300 <= reply.status < 400:
        return BadReply(f"{message}; it points to {reply.headers.get('Location', '')!r}: give that address")
    if kind.default_code in ("bad_request", "internal") or reply.status < 400:
        return BadReply(message, status=reply.status)
    return kind(message, status=reply.status, **_circumstances(reply.headers))


def _circumstances(headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "retry_after_s": retry_after_s(headers.get("Retry-After")),
        "request_id": headers.get("X-Request-Id"),
    }


def _shown(body: bytes) -> str:
    return body[:SHOWN_CHARACTERS].decode("utf-8", "replace")
