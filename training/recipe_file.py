"""A recipe as a TOML file: reading it, changing single keys, writing down what was run.

Owns the form of the file and what is said of a wrong key or value. What the keys mean is said by
``training.recipe``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from fishgate.record import Record
from training.recipe import KINDS, Recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Table = dict[str, Any]


class RecipeError(ValueError):
    """A recipe that cannot be followed; says which key, what was seen and what is allowed."""


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, change it by ``key.path=value`` texts, and check it; raise RecipeError if it is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path} cannot be read ({error.strerror}); give the path of a recipe") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path.name} is no TOML: {error}") from None
    for override in overrides:
        _override(table, override)
    return checked(table, name=path.name)


def checked(table: Table, *, name: str) -> Recipe:
    """Return the recipe that a table tells; raise RecipeError naming the first wrong key."""
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise RecipeError(f"{name}: kind: must be one of {', '.join(KINDS)}, got {kind!r}")
    try:
        return KINDS[kind].model_validate(table)
    except ValidationError as error:
        raise RecipeError(f"{name}: {_explain(error, KINDS[kind])}") from None


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as TOML, with all defaults written out."""
    table = recipe.model_dump(mode="json", exclude_none=True)
    return "\n".join(_lines(table, ())).strip() + "\n"


def _explain(error: ValidationError, record: type[Record]) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole recipe"
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}; allowed here: {', '.join(_keys_at(record, first['loc'][:-1]))}"
    if first["type"] == "missing":
        return f"the key {place!r} is missing"
    seen = "" if isinstance(first["input"], dict | Record) else f", got {str(first['input'])[:80]!r}"
    return f"{place}: {first['msg'].removeprefix('Value error, ')}{seen}"


def _keys_at(record: type[Record], place: Iterable[str | int]) -> list[str]:
    for part in place:
        if isinstance(part, str):
            record = _record_in(record.model_fields[part].annotation) or record
    return list(record.model_fields)


def _record_in(annotation: Any) -> type[Record] | None:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    return next((found for part in get_args(annotation) if (found := _record_in(part))), None)


def _override(table: Table, override: str) -> None:
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise RecipeError(f"{override!r} is no override; write key.path=value, as stages.0.epochs=2")
    *parents, last = key.strip().split(".")
    place: Any = table
    try:
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        place[int(last) if isinstance(place, list) else last] = _value(text.strip())
    except (IndexError, ValueError, TypeError, AttributeError):
        raise RecipeError(f"the override {override!r} names no place in the recipe") from None


def _value(text: str) -> Any:
    """Read a value as TOML does; what is none there is a text, so that quotes may be left out."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _lines(table: Table, place: tuple[str, ...]) -> Iterable[str]:
    """Yield plain keys first: in TOML they must stand before the tables."""
    tables = {key: value for key, value in table.items() if _is_table(value)}
    yield from (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items() if key not in tables)
    for key, value in tables.items():
        name = ".".join((*place, key))
        for part in value if isinstance(value, list) else [value]:
            yield f"\n[[{name}]]" if isinstance(value, list) else f"\n[{name}]"
            yield from _lines(part, (*place, key))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))
