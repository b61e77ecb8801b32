"""The classes: how many pictures each trains on, and how well each is told from the others.

Owns the plots and tables by class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from training.class_scores import ClassScores, class_scores, confusion_matrix
from training.report.blocks import Block, Paragraph, Plot, Table, percent
from training.report.canvas import BLUE, GREEN, GREY, ORANGE, label_axes, new_figure, to_png
from training.report.run_data import RunData

Counts = NDArray[np.int64]

_ROW_IN = 0.21  # a line of small text
_FRAME_IN = 1.2  # the axis and its name
_CELL_IN = 0.22  # two digits of the smallest text that is read
_PAIRS = 15
_DARK = 0.5  # from this share on, black text on a cell is not read


def distribution_blocks(run: RunData) -> list[Block]:
    """Return the training pictures of each class, before and after balancing."""
    labels, before, after = run.labels, run.classes["before"], run.classes["after"]
    order = sorted(labels, key=lambda label: before.get(label, 0))
    counts = [(before.get(label, 0), after.get(label, 0)) for label in order]
    figure = new_figure(_FRAME_IN + _ROW_IN * len(order))
    axes = figure.add_subplot()
    places = np.arange(len(order))
    axes.barh(places, [pair[1] for pair in counts], color="#9ECAE9", label="after balancing")
    axes.plot([pair[0] for pair in counts], places, "D", color=ORANGE, markersize=4, label="before")
    _name_rows(axes, order)
    axes.legend(frameon=False, loc="lower right")
    label_axes(axes, x="training pictures a pass", y="")
    spread = f"{counts[0][0]} to {counts[-1][0]} pictures before balancing"
    afterwards = [pair[1] for pair in counts]
    alt = f"Pictures of {len(order)} classes: {spread}, {min(afterwards)} to {max(afterwards)} after."
    rows = tuple((label, str(pair[0]), str(pair[1])) for label, pair in zip(order[::-1], counts[::-1], strict=True))
    return [
        Plot("classes", to_png(figure), alt, "Training pictures of each class, the rarest at the bottom."),
        Table("Training pictures of each class", ("class", "before balancing", "after"), rows, is_folded=True),
    ]


def confusion_blocks(run: RunData) -> list[Block]:
    """Return the confusion matrix of the test pictures, and the pairs that are confused most."""
    known, labels = run.known, run.labels
    confusion = confusion_matrix(known.labels, known.named, classes=len(labels))
    pairs = _confused_pairs(confusion, labels)
    wrong = int(confusion.sum() - np.trace(confusion))
    alt = f"Confusion matrix of {len(labels)} classes and {confusion.sum()} test pictures, {wrong} of them wrong."
    caption = "Counts of test pictures; the shade is the share of the pictures of the true class."
    plot = Plot("confusion", _confusion_png(confusion, labels), alt, caption, is_wide=len(labels) > 12)
    if not pairs:
        return [plot, Paragraph("No test picture is answered wrongly.")]
    head = ("true class", "answered", "pictures", "share of the class")
    return [plot, Table("What is taken for what most often", head, pairs)]


def score_blocks(run: RunData) -> list[Block]:
    """Return precision, recall and F1 of each class on the test pictures."""
    known, labels = run.known, run.labels
    scores = class_scores(confusion_matrix(known.labels, known.named, classes=len(labels)))
    order = [int(number) for number in np.argsort(scores.f1, kind="stable") if scores.pictures[number]]
    without = [label for label, pictures in zip(labels, scores.pictures, strict=True) if not pictures]
    rows = tuple(_score_row(scores, number, labels[number]) for number in order)
    worst = ", ".join(f"{labels[number]} {percent(scores.f1[number])}" for number in order[:5])
    alt = f"Precision, recall and F1 of {len(order)} classes. The lowest F1: {worst}."
    blocks: list[Block] = [
        Plot("scores", _scores_png(scores, order, labels), alt, "Scores of each class, the lowest F1 at the top."),
        Table("Scores of each class", ("class", "precision", "recall", "F1", "test pictures"), rows, is_folded=True),
    ]
    if without:
        blocks.append(Paragraph(f"Without test pictures, and so without scores: {', '.join(without)}."))
    return blocks


def _confused_pairs(confusion: Counts, labels: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    off = confusion - np.diag(np.diag(confusion))
    places = np.argsort(-off, axis=None, kind="stable")[:_PAIRS]
    pairs = [divmod(int(place), len(labels)) for place in places]
    return tuple(
        (labels[true], labels[answer], str(off[true, answer]), percent(off[true, answer] / confusion[true].sum()))
        for true, answer in pairs
        if off[true, answer]
    )


def _confusion_png(confusion: Counts, labels: Sequence[str]) -> bytes:
    side = max(4.5, 2.2 + _CELL_IN * len(labels))
    figure = new_figure(side, width_in=side)
    axes = figure.add_subplot()
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    places = range(len(labels))
    axes.set_xticks(places, labels, rotation=90, fontsize="small")
    axes.set_yticks(places, labels, fontsize="small")
    axes.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#E4E4E4", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel("answered")
    axes.set_ylabel("true class")
    _write_counts(axes, confusion, share)
    return to_png(figure)


def _write_counts(axes: Axes, confusion: Counts, share: NDArray[np.float64]) -> None:
    """Write the counts into the cells; an empty cell says 0 best by staying empty."""
    for true, answer in np.argwhere(confusion):
        colour = "white" if share[true, answer] > _DARK else "black"
        text = str(confusion[true, answer])
        axes.text(answer, true, text, ha="center", va="center", fontsize="x-small", color=colour)


def _scores_png(scores: ClassScores, order: Sequence[int], labels: Sequence[str]) -> bytes:
    figure = new_figure(_FRAME_IN + _ROW_IN * len(order))
    axes = figure.add_subplot()
    places = np.arange(len(order))[::-1]
    axes.hlines(places, 0, scores.f1[order], color=GREY, linewidth=0.6)
    series = ((scores.precision, "<", BLUE, "precision"), (scores.recall, ">", ORANGE, "recall"))
    for values, marker, colour, name in series:
        axes.plot(values[order], places, marker, color=colour, markersize=5, label=name)
    axes.plot(scores.f1[order], places, "o", color=GREEN, markersize=4, label="F1")
    _name_rows(axes, [f"{labels[number]} ({scores.pictures[number]})" for number in order][::-1])
    axes.set_xlim(-0.02, 1.02)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside upper right", ncols=3)
    label_axes(axes, x="score (fraction; in brackets: test pictures)", y="")
    return to_png(figure)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.set_ylim(-0.7, len(names) - 0.3)


def _score_row(scores: ClassScores, number: int, label: str) -> tuple[str, ...]:
    values = (scores.precision[number], scores.recall[number], scores.f1[number])
    return (label, *(percent(value) for value in values), str(scores.pictures[number]))
