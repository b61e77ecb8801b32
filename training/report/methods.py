"""A linear probe beside the zero-shot baseline of the same model.

Owns the table; the figures are those of ``training.probe_figures``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.report.blocks import Block, LeftOut, Paragraph, Table, percent
from training.report.run_data import RunData

_HEAD = ("pictures of", "method", "pictures", "accuracy", "among the first five", "macro F1")
_NAMES = {"kept_back": "kept back", "never_trained_sources": "never trained on"}


def method_blocks(run: RunData) -> list[Block]:
    """Return one row for each source and method."""
    methods: dict[str, Any] = run.metrics.get("methods", {})
    if not methods:
        raise LeftOut("This run has one way to answer, so there is no other to compare it with.")
    prompts = ", ".join(f"“{template}”" for template in run.metrics["templates"])
    told = f"Encoder: {run.metrics['encoder']}, not trained here. Prompts of the zero-shot baseline: {prompts}."
    return [Paragraph(told), Table("Zero-shot and linear probe", _HEAD, tuple(_rows(methods)))]


def _rows(methods: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for method, figures in methods.items():
        if figures["all_kept_back"]:
            yield _row("all test pictures", method, figures["all_kept_back"])
    for part, name in _NAMES.items():
        for source in next(iter(methods.values()))[part]:
            for method, figures in methods.items():
                yield _row(f"{source} ({name})", method, figures[part][source])


def _row(pictures: str, method: str, figures: dict[str, Any]) -> tuple[str, ...]:
    low, high = figures["accuracy_interval"]
    return (
        pictures,
        method.replace("_", " "),
        str(figures["photographs"]),
        f"{percent(figures['accuracy'])} ({percent(low)} to {percent(high)})",
        percent(figures["accuracy_top_5"]),
        f"{figures['macro_f1']:.3f}",
    )
