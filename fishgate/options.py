"""What a client may ask for besides the picture: ``top_k``, ``labels``, ``species_list``, ``threshold``.

Owns their allowed values and how they are read from the text of form fields. It does not know
where the text comes from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fishgate.errors import InvalidOption

DEFAULT_TOP_K = 5
MAX_TOP_K = 50
MAX_LABELS = 100
MAX_LABEL_CHARACTERS = 100
OPTION_NAMES = ("top_k", "labels", "threshold", "species_list")
LIST_NAME_PATTERN = r"[a-z0-9_-]{1,64}"


@dataclass(frozen=True)
class Options:
    """The options of one request.

    ``top_k`` is the number of candidates in the answer. ``labels`` are the client's own candidate
    names, in the client's order; ``species_list`` names a list that the server holds; with both
    None the model's own labels are the candidates. ``threshold`` replaces the gate's own, a
    probability from 0 to 1, or is None.
    """

    top_k: int = DEFAULT_TOP_K
    labels: tuple[str, ...] | None = None
    threshold: float | None = None
    species_list: str | None = None


def options_from_fields(form: Mapping[str, str]) -> Options:
    """Read the options from form fields; raise InvalidOption for an unknown or wrong one."""
    unknown = sorted(set(form) - set(OPTION_NAMES))
    if unknown:
        raise InvalidOption(f"unknown option {unknown[0][:50]!r}; allowed: {', '.join(OPTION_NAMES)}")
    top_k, labels, threshold, species_list = (form.get(name, "").strip() for name in OPTION_NAMES)
    if labels and species_list:
        raise InvalidOption("labels and species_list were given; choose one of them, both name the candidates")
    return Options(
        top_k=_top_k(top_k) if top_k else DEFAULT_TOP_K,
        labels=_labels(labels) if labels else None,
        threshold=_threshold(threshold) if threshold else None,
        species_list=_species_list(species_list) if species_list else None,
    )


def options_to_fields(options: Options) -> dict[str, str]:
    """Return the form fields that ``options_from_fields`` reads back to the same options."""
    form = {"top_k": str(options.top_k)}
    if options.labels is not None:
        form["labels"] = json.dumps(list(options.labels))
    if options.threshold is not None:
        form["threshold"] = repr(options.threshold)
    if options.species_list is not None:
        form["species_list"] = options.species_list
    return form


def _top_k(text: str) -> int:
    # isdecimal alone would let through thousands of digits, which int() refuses in its own words.
    if text.isascii() and text.isdecimal() and len(text) <= 6 and 1 <= int(text) <= MAX_TOP_K:
        return int(text)
    raise InvalidOption(f"top_k must be a whole number from 1 to {MAX_TOP_K}, got {text[:50]!r}")


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise InvalidOption(f"threshold must be a number from 0 to 1, got {text[:50]!r}")
    return value


def _species_list(text: str) -> str:
    if re.fullmatch(LIST_NAME_PATTERN, text):
        return text
    allowed = "1 to 64 of a-z, 0-9, '_' and '-'"
    raise InvalidOption(f"species_list must be the name of a list, {allowed}, got {text[:50]!r}")


def _labels(text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LABELS:
        raise InvalidOption(f"labels must be a JSON list of 1 to {MAX_LABELS} names, got {text[:50]!r}")
    labels = tuple(_label(item) for item in value)
    if len({label.casefold() for label in labels}) != len(labels):
        raise InvalidOption("labels must differ from each other; one name stands there twice")
    return labels


def _label(value: Any) -> str:
    label = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(label) <= MAX_LABEL_CHARACTERS or not label.isprintable():
        allowed = f"1 to {MAX_LABEL_CHARACTERS} printable characters"
        raise InvalidOption(f"each of labels must be a text of {allowed}, got {str(value)[:50]!r}")
    return label
