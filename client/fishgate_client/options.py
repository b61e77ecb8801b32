"""What may be asked for besides the picture, and how it is written for the server.

The server checks the values: its limits are not repeated here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Options of one request; None leaves the choice to the server.

    ``top_k``: how many candidates an answer names. ``labels``: your own candidate names. ``threshold``: certainty
    (0 to 1) from which the expert is believed. ``species_list``: a list of candidates that the server holds.
    """

    top_k: int | None = None
    labels: tuple[str, ...] | None = None
    threshold: float | None = None
    species_list: str | None = None

    def fields(self) -> dict[str, str]:
        """Return the form fields or query parameters of the options that were given."""
        given = {
            "top_k": None if self.top_k is None else str(self.top_k),
            "labels": None if self.labels is None else json.dumps(self.labels, ensure_ascii=False),
            "threshold": None if self.threshold is None else repr(self.threshold),
            "species_list": self.species_list,
        }
        return {name: value for name, value in given.items() if value is not None}


def options_from(
    top_k: int | None, labels: Sequence[str] | None, threshold: float | None, species_list: str | None
) -> Options:
    """Return the options of a call."""
    if isinstance(labels, str):
        raise TypeError(f"labels must be a sequence of names, got the text {labels[:50]!r}")
    return Options(top_k, None if labels is None else tuple(labels), threshold, species_list)
