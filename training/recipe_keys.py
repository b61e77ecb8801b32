"""The keys that a recipe may have, as a table for people.

Owns the table's form; keys, types and defaults are read off the records of ``training.recipe``, so that
the table cannot say what the program does not do.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from fishgate.record import Record
from training.recipe import KINDS


def keys_text() -> str:
    """Return one Markdown table: each key, what it takes, its default, and the kinds of recipe that have it."""
    kinds_of: dict[tuple[str, str, str], list[str]] = {}
    for kind, record in KINDS.items():
        for row in _rows(record, ""):
            kinds_of.setdefault(row, []).append(kind)
    lines = [
        f"| `{key}` | {takes} | {default} | {_all_or(kinds)} |" for (key, takes, default), kinds in kinds_of.items()
    ]
    return "\n".join(["| key | takes | default | kinds |", "|---|---|---|---|", *lines]) + "\n"


def _rows(record: type[Record], place: str) -> Iterator[tuple[str, str, str]]:
    for name, field in record.model_fields.items():
        inner, is_many = _inner(field.annotation)
        key = f"{place}{name}"
        if inner is None:
            yield key, _takes(field.annotation), _default(field)
        else:
            yield from _rows(inner, f"{key}[]." if is_many else f"{key}.")


def _inner(annotation: Any) -> tuple[type[Record] | None, bool]:
    """Return the record that a field holds, and whether it holds many."""
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation, False
    found = next((inner for part in get_args(annotation) if (inner := _inner(part)[0])), None)
    return found, get_origin(annotation) is tuple


def _takes(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return _takes(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _takes(next(part for part in get_args(annotation) if part is not NoneType))
    if get_origin(annotation) is tuple:
        parts = [part for part in get_args(annotation) if part is not Ellipsis]
        return f"{'list' if len(parts) == 1 else len(parts)} of {_takes(parts[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    words = {"int": "whole number", "float": "number", "str": "text", "Path": "path", "bool": "true or false"}
    return words[annotation.__name__]


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "must be given"
    value = field.default
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, Enum):
        value = value.value
    shown = f"{value:.4g}" if isinstance(value, float) else str(list(value) if isinstance(value, tuple) else value)
    return f"`{shown}`" if len(shown) < 40 else "see `training/recipe.py`"


def _all_or(kinds: list[str]) -> str:
    return "all" if len(kinds) == len(KINDS) else ", ".join(kinds)


if __name__ == "__main__":
    print(keys_text(), end="")
