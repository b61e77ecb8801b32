"""The report of a soak: a page of Markdown with its plots beside it.

Owns what the plots show. What is flat and what was lost it is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import machine
from benchmarks.outcome import Outcome, result_line
from benchmarks.soak_readings import Reading
from benchmarks.soak_stage import Disturbance
from benchmarks.soak_traffic import ANSWERED, Kind, Passage
from benchmarks.soak_verdict import undisturbed
from training.report.canvas import BLUE, GREEN, GREY, ORANGE, PINK, label_axes, new_figure, to_png

COLOURS = {"gateway": BLUE, "java": ORANGE, "expert": GREEN, "zero_shot": PINK}
_SLICES = 60
"""Requests are put together in so many stretches of time."""


@dataclass(frozen=True)
class Soak:
    """All that was seen in a run of so many seconds."""

    seconds: float
    passages: Sequence[Passage]
    readings: Sequence[Reading]
    disturbances: Sequence[Disturbance]


def write_report(soak: Soak, outcome: Outcome, folder: Path) -> Path:
    """Write the page and its plots into the folder; return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {
        "memory": _processes(soak, "resident memory (MB)", lambda one: one.rss_mb),
        "heap": _processes(soak, "Java's heap after a collection (MB)", lambda one: one.heap_mb),
        "threads": _processes(soak, "threads", lambda one: one.threads),
        "files": _processes(soak, "open files", lambda one: one.files),
        "latency": _latency(soak),
        "requests": _requests(soak),
    }
    for name, picture in plots.items():
        (folder / f"{name}.png").write_bytes(picture)
    page = folder / "report.md"
    page.write_text("\n".join(_page(soak, outcome, list(plots))) + "\n", encoding="utf-8")
    return page


def _page(soak: Soak, outcome: Outcome, plots: Sequence[str]) -> Iterable[str]:
    verdict = "All of it was reached." if outcome.is_reached else "**Not all of it was reached.**"
    yield f"# A soak of {soak.seconds / 60:g} minutes"
    yield f"\nWhat was to be reached: {outcome.target}. {verdict}\n"
    yield f"```\n{result_line(outcome)}\n```\n"
    yield from _table(outcome)
    yield "\nGrey bands are kills and restarts; latency is that of confident pictures that none of them touched.\n"
    for name in plots:
        yield f"![{name}]({name}.png)\n"
    yield "Measured on: " + ", ".join(f"{name} {value}" for name, value in machine.hardware().items() if value)


def _table(outcome: Outcome) -> Iterable[str]:
    yield "| | after the warm-up | at the end | may grow by | |"
    yield "|---|---|---|---|---|"
    for level in outcome.details["levels"]:
        allowed = "told only" if level["allowed"] is None else f"{level['allowed']:.1f}"
        told = "" if level["allowed"] is None else "flat" if level["is_flat"] else "**grew**"
        name, unit = level["what"].removesuffix("_mb").replace("_", " "), level["unit"]
        before, after = (f"{level[when]:.1f} {unit}".strip() for when in ("before", "after"))
        yield f"| {name} | {before} | {after} | {allowed} | {told} |"


def _processes(soak: Soak, what: str, value: Callable[[Reading], float | None]) -> bytes:
    figure = new_figure(2.8)
    axes = figure.add_subplot()
    _draw_disturbances(axes, soak)
    by_process: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in soak.readings:
        read = value(one)
        if read is not None:
            by_process[one.process].append((one.at_s / 60, read))
    for process, points in by_process.items():
        axes.plot(*zip(*points, strict=True), ".", color=COLOURS.get(process, GREY), label=process, markersize=3)
    axes.set_ylim(bottom=0)
    _add_legend(figure)
    label_axes(axes, x="minutes", y=what)
    return to_png(figure)


def _latency(soak: Soak) -> bytes:
    figure = new_figure(2.8)
    axes = figure.add_subplot()
    _draw_disturbances(axes, soak)
    slices = _sliced(undisturbed(soak.passages, soak.disturbances), soak.seconds)
    for percentile, colour in ((50, BLUE), (99, ORANGE)):
        points = [(minute, np.percentile([one.seconds * 1000 for one in held], percentile)) for minute, held in slices]
        axes.plot(*zip(*points, strict=True), ".", color=colour, label=f"p{percentile}", markersize=4)
    axes.set_ylim(bottom=0)
    _add_legend(figure)
    label_axes(axes, x="minutes", y="latency (ms)")
    return to_png(figure)


def _requests(soak: Soak) -> bytes:
    figure = new_figure(2.8)
    axes = figure.add_subplot()
    _draw_disturbances(axes, soak)
    width_s = soak.seconds / _SLICES
    slices = _sliced(soak.passages, soak.seconds)
    for name, colour, counts in (
        ("sent", GREY, lambda one: True),
        ("answered", GREEN, lambda one: one.kind in ANSWERED and one.failure is None),
        ("refused", ORANGE, lambda one: one.kind in ANSWERED and one.failure is not None),
        ("aborted by the client", PINK, lambda one: one.kind is Kind.ABORTED),
    ):
        rates = [(minute, sum(map(counts, held)) / width_s) for minute, held in slices]
        axes.plot(*zip(*rates, strict=True), color=colour, label=name, linewidth=1.0)
    _add_legend(figure)
    label_axes(axes, x="minutes", y="requests a second")
    return to_png(figure)


def _sliced(passages: Iterable[Passage], seconds: float) -> list[tuple[float, list[Passage]]]:
    """Return the requests by the stretch of time in which they began, each with its middle in minutes."""
    width_s = seconds / _SLICES
    slices: dict[int, list[Passage]] = defaultdict(list)
    for one in passages:
        slices[int(one.started_s / width_s)].append(one)
    return [((number + 0.5) * width_s / 60, slices[number]) for number in sorted(slices)]


def _add_legend(figure: Figure) -> None:
    """Explain the colours above the plot, where nothing is hidden."""
    figure.legend(loc="outside upper center", frameon=False, ncols=len(COLOURS), fontsize="small", markerscale=3)


def _draw_disturbances(axes: Axes, soak: Soak) -> None:
    for one in soak.disturbances:
        axes.axvspan(one.began_s / 60, one.ended_s / 60, color=GREY, alpha=0.35 if one.is_restart else 0.15, lw=0)
    axes.set_xlim(0, soak.seconds / 60)
