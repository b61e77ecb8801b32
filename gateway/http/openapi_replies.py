"""What the OpenAPI page says of replies: records, lines, errors.

Owns which status tells which codes, with an example for each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fishgate.answer import Answer
from fishgate.errors import FishgateError
from fishgate.record import Record
from fishgate.wire import ErrorBody, ErrorReply, error_reply
from gateway.errors import RateLimited
from gateway.http.lines import MEDIA_TYPE

Json = dict[Any, Any]


class BatchLine(Record):
    """One line: the picture's place in the request from 0, how its file was called, and its answer or its error.

    A last line whose ``file`` is null tells why the rest of the form could not be read.
    """

    index: int
    file: str | None
    answer: Answer | None = None
    error: ErrorBody | None = None


def line_replies() -> Json:
    """Return the reply that is a line of JSON for each picture."""
    schema = BatchLine.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)  # the other routes define them
    return {200: {"description": "A line of JSON for each picture", "content": {MEDIA_TYPE: {"schema": schema}}}}


def text_replies(told: str) -> Json:
    """Return the reply that is plain text."""
    return {200: {"description": told, "content": {"text/plain": {"schema": {"type": "string"}}}}}


def replies(record: type[Record], told: str, *, errors: Sequence[type[FishgateError]]) -> Json:
    """Return the replies of a route that answers with a record."""
    return {200: {"model": record, "description": told}, **error_replies(errors)}


def error_replies(errors: Sequence[type[FishgateError]]) -> Json:
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
