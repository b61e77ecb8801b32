"""Reading the fields of a JSON reply: what is needed must be there, what is unknown is passed over.

So an old client goes on working with a newer server that tells more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from fishgate_client.errors import BadReply

T = TypeVar("T")


def needed(fields: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Return the field ``name``; raise BadReply if it is missing or of another kind. A whole number is a float too."""
    value = fields.get(name)
    if type(value) is kind:  # nearly always, and a hundred thousand answers have four million fields
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)  # type: ignore[return-value]
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        seen = "is missing" if name not in fields else f"is {str(value)[:50]!r}"
        raise BadReply(f"the reply cannot be read: its field {name!r} {seen}, wanted: {kind.__name__}")
    return value


def wanted(fields: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    """Return the field ``name``, or None if it is null or missing; raise BadReply if it is of another kind."""
    return None if fields.get(name) is None else needed(fields, name, kind)


def part(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object under ``name``; raise BadReply if it is none."""
    return needed(fields, name, dict)


def objects(fields: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the list of objects under ``name``; raise BadReply if it is none."""
    values: list[Any] = needed(fields, name, list)
    for value in values:
        if not isinstance(value, dict):
            raise BadReply(f"the reply cannot be read: {name!r} holds {str(value)[:50]!r}, wanted: objects")
    return values
