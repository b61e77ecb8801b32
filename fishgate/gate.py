"""The confidence gate: is the expert's opinion good enough, or must zero-shot be asked?

Pure code on plain values, the same in the router and in the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass

from fishgate.answer import Opinion
from fishgate.options import Options


@dataclass(frozen=True)
class Verdict:
    """Whether the picture is deferred to zero-shot, and the threshold that decided."""

    deferred: bool
    threshold: float


def judge(expert: Opinion, options: Options) -> Verdict:
    """Accept the expert at or above the threshold, if its name is one that the client allows.

    The client's ``threshold`` replaces the card's. With the client's own ``labels`` an expert
    whose name is not among them cannot answer, however sure it is.
    """
    threshold = expert.threshold if options.threshold is None else options.threshold
    is_sure = expert.certainty >= threshold
    return Verdict(deferred=not (is_sure and _is_allowed(expert, options)), threshold=threshold)


def _is_allowed(expert: Opinion, options: Options) -> bool:
    if options.labels is None:
        return True
    names = {expert.best.label.casefold(), (expert.best.scientific_name or "").casefold()}
    return any(label.casefold() in names for label in options.labels)
