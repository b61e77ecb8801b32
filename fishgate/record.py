"""The base of every record that is read from or written to JSON.

Records are frozen and refuse unknown keys: a misspelt setting stops the start instead of being
silently without effect.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError


class Record(BaseModel):
    """A frozen record with a fixed set of keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def explain(error: ValidationError) -> str:
    """Say in one line where a record is wrong, what was seen and what is allowed."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole record"
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}"
    return f"{place}: {first['msg']}, got {str(first['input'])[:80]!r}"
