"""How the training went: loss, accuracy and the gap between them, and the rates it ran at.

Owns the plots and tables over time, made of ``history.json`` and ``rates.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from training.report.blocks import Block, LeftOut, Paragraph, Plot, Table, percent
from training.report.canvas import BLUE, GREEN, GREY, ORANGE, label_axes, new_figure, to_png
from training.report.run_data import RunData

Epochs = Sequence[dict[str, Any]]

_RATES = (("head_rate", "head", BLUE, "-"), ("backbone_rate", "backbone", ORANGE, "--"))


def training_blocks(run: RunData) -> list[Block]:
    """Return the training curves with the generalization gap, and what they come to stage by stage."""
    history = run.history
    if not history:
        raise LeftOut("No epoch was trained, so there are no curves.")
    return [
        Paragraph(
            "The generalization gap is the accuracy on the training pictures minus that on the validation pictures. "
            "Training pictures are measured as augmented and while the network still changes, so the gap can be "
            "below zero; it is its growth that shows learning by heart."
        ),
        _training_plot(history),
        _stage_table(history),
    ]


def rate_blocks(run: RunData) -> list[Block]:
    """Return the learning-rate schedule; a part that is frozen has no rate, and no line."""
    rates = run.rates
    if not rates["step"]:
        raise LeftOut("No step was trained, so there is no schedule.")
    figure = new_figure(3.2)
    axes = figure.add_subplot()
    for key, part, colour, style in _RATES:
        values = np.array([rate or np.nan for rate in rates[key]], dtype=np.float64)
        axes.plot(rates["step"], values, style, color=colour, label=part)
    axes.set_yscale("log")
    axes.legend(frameon=False)
    label_axes(axes, x="step (batches)", y="learning rate (log scale)")
    table = _rate_table(rates)
    alt = "Learning rate against step. " + " ".join(f"{row[0]}: {row[1]} to {row[2]}." for row in table.rows)
    return [Plot("rates", to_png(figure), alt, "Learning rate of head and backbone at each step."), table]


def _rate_table(rates: dict[str, list[float]]) -> Table:
    rows = []
    for key, part, _, _ in _RATES:
        used = [rate for rate in rates[key] if rate]
        texts = [f"{value:.2g}" for value in (min(used), max(used), used[-1])] if used else ["frozen"] * 3
        rows.append((part, *texts))
    return Table("Learning rates", ("part", "lowest", "highest", "last"), tuple(rows))


def _training_plot(history: Epochs) -> Plot:
    figure = new_figure(8.0)
    loss, accuracy, gap = (figure.add_subplot(3, 1, row) for row in (1, 2, 3))
    _two_lines(loss, history, "loss")
    _two_lines(accuracy, history, "accuracy")
    gap.plot(_numbers(history), [100 * value for value in _gaps(history)], "o-", color=GREEN, markersize=3)
    gap.axhline(0, color=GREY, linewidth=0.8)
    label_axes(loss, x="epoch", y="loss (nats)")
    label_axes(accuracy, x="epoch", y="accuracy (fraction)")
    label_axes(gap, x="epoch", y="generalization gap\n(percentage points)")
    for axes in (loss, accuracy, gap):
        _mark_stages(axes, history)
    last = history[-1]
    alt = (
        f"Loss, accuracy and generalization gap over {len(history)} epochs. At the end: training accuracy "
        f"{_percent(last['train_accuracy'])}, validation accuracy {_percent(last['validation_accuracy'])}."
    )
    return Plot("training", to_png(figure), alt, "Training curves; dotted lines part the stages.")


def _two_lines(axes: Axes, history: Epochs, what: str) -> None:
    for part, colour, style in (("train", BLUE, "o-"), ("validation", ORANGE, "s--")):
        values = _values(history, f"{part}_{what}")
        axes.plot(_numbers(history), values, style, color=colour, label=part, markersize=3)
    axes.legend(frameon=False)


def _mark_stages(axes: Axes, history: Epochs) -> None:
    """Draw a line between two stages. Epochs are whole, so the axis must not show halves."""
    for number in range(1, len(history)):
        if history[number]["stage"] != history[number - 1]["stage"]:
            axes.axvline(number + 0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _stage_table(history: Epochs) -> Table:
    stages = [list(epochs) for _, epochs in groupby(history, key=lambda epoch: epoch["stage"])]
    return Table(
        "The stages, each after its last epoch",
        (
            "stage",
            "epochs",
            "minutes",
            "train loss",
            "validation loss",
            "train accuracy",
            "validation accuracy",
            "gap (points)",
        ),
        tuple(_stage_row(epochs) for epochs in stages),
    )


def _stage_row(epochs: Epochs) -> tuple[str, ...]:
    last = epochs[-1]
    gap = _gaps([last])[0]
    return (
        str(last["stage"]),
        str(len(epochs)),
        f"{sum(epoch['seconds'] for epoch in epochs) / 60:.1f}",
        _number(last["train_loss"]),
        _number(last["validation_loss"]),
        _percent(last["train_accuracy"]),
        _percent(last["validation_accuracy"]),
        "–" if np.isnan(gap) else f"{100 * gap:+.1f}",
    )


def _numbers(history: Epochs) -> list[int]:
    return list(range(1, len(history) + 1))


def _values(history: Epochs, key: str) -> list[float]:
    """Return a value of each epoch; one that was not measured leaves a hole in the line."""
    return [float("nan") if epoch[key] is None else float(epoch[key]) for epoch in history]


def _gaps(history: Epochs) -> list[float]:
    pairs = zip(_values(history, "train_accuracy"), _values(history, "validation_accuracy"), strict=True)
    return [train - validation for train, validation in pairs]


def _percent(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
