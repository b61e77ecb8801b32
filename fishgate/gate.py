"""The confidence gate: is the expert's opinion good enough, or must zero-shot be asked?

Pure code on plain values, the same in the router and in the gateway.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from fishgate.answer import Opinion
from fishgate.options import Options


@dataclass(frozen=True)
class Verdict:
    """Whether the picture is deferred to zero-shot, and the threshold that decided."""

    deferred: bool
    threshold: float


def judge(expert: Opinion, options: Options, *, members: Collection[str] | None = None) -> Verdict:
    """Accept the expert at or above the threshold, if its name is one that the client allows.

    The client's ``threshold`` replaces the card's. With the client's own ``labels`` an expert
    whose name is not among them cannot answer, however sure it is; no more can one that is not
    among ``members``, which are those of the ``species_list`` that the client picked, case folded.
    """
    if options.species_list is not None and members is None:
        raise ValueError(f"the members of {options.species_list!r} are needed to judge")
    threshold = expert.threshold if options.threshold is None else options.threshold
    is_sure = expert.certainty >= threshold
    allowed = members if options.labels is None else {label.casefold() for label in options.labels}
    return Verdict(deferred=not (is_sure and _is_among(expert, allowed)), threshold=threshold)


def _is_among(expert: Opinion, allowed: Collection[str] | None) -> bool:
    best = expert.best
    names = {best.label.casefold(), (best.scientific_name or best.label).casefold()}
    return allowed is None or any(name in allowed for name in names)
