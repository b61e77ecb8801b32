"""How far the model can be believed: reliability of its confidence, and risk against coverage.

Owns the plots and tables of confidence on the test pictures.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fishgate.model_card import Gate
from training.evaluation import ReliabilityBins, aurc, expected_calibration_error, reliability_bins, risk_coverage
from training.report.answers import Answers
from training.report.blocks import Block, Paragraph, Plot, Table, percent
from training.report.canvas import BLACK, BLUE, GREEN, GREY, ORANGE, label_axes, new_figure, to_png
from training.report.run_data import RunData

Floats = NDArray[np.float64]

_WITHOUT = 1.0  # the temperature that changes nothing
_ROOM_ABOVE = 1.3  # so that the legend hides no line
_COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def reliability_blocks(run: RunData) -> list[Block]:
    """Return the reliability diagram of the test pictures, before and after the temperature."""
    temperatures = {"before": _WITHOUT, f"after (temperature {run.card.temperature:.2f})": run.card.temperature}
    figure = new_figure(3.9)
    rows, sentences = [], []
    for place, (when, temperature) in enumerate(temperatures.items()):
        confidence = run.known.probabilities(temperature).max(axis=1)
        error = expected_calibration_error(confidence, run.known.is_right)
        bins = reliability_bins(confidence, run.known.is_right)
        _reliability(figure.add_subplot(1, 2, place + 1), bins, f"{when}: ECE {percent(error)}")
        sentences.append(f"Expected calibration error {when}: {percent(error)}.")
        rows += _bin_rows(bins, "after" if place else "before")
    alt = "Accuracy against confidence. " + " ".join(sentences)
    caption = (
        "Bars: accuracy of the pictures in a bin of confidence; the fainter the bar, the fewer pictures. On the dashed "
        "line confidence and accuracy agree."
    )
    head = ("temperature", "confidence above", "up to", "pictures", "mean confidence", "accuracy")
    return [
        Plot("reliability", to_png(figure), alt, caption),
        Table("Confidence and accuracy, bin by bin", head, tuple(rows), is_folded=True),
    ]


def coverage_blocks(run: RunData) -> list[Block]:
    """Return risk against coverage, with the threshold of the gate and what it promises marked."""
    known, gate = run.known, run.card.gate
    certainty = run.certainty(known)
    area = aurc(certainty, known.is_right)
    coverage, risk = risk_coverage(certainty, known.is_right)
    rows = tuple((percent(part), percent(risk[max(round(part * len(risk)), 1) - 1])) for part in _COVERAGES)
    point = _point_sentence(run, known)
    plot = Plot(
        "risk_coverage",
        _coverage_png(run, coverage, risk),
        f"Risk against coverage on {len(risk)} test pictures; area under the curve {area:.4f}. {point}",
        "Fraction wrong among the most certain answers, against the fraction of pictures that they are.",
    )
    head = ("most certain pictures answered", "of these wrong")
    sentences = f"The area under the risk–coverage curve is {area:.4f}. {point} {_promise(gate)}"
    return [plot, Paragraph(sentences), Table("Risk at some coverages", head, rows)]


def _reliability(axes: Axes, bins: ReliabilityBins, title: str) -> None:
    width = 1 / len(bins.upper_edges)
    shares = bins.pictures / bins.pictures.sum()
    for edge, accuracy, share in zip(bins.upper_edges, bins.accuracy, shares, strict=True):
        if share:
            strength = 0.25 + 0.75 * min(1.0, share * len(shares))
            axes.bar(edge - width / 2, accuracy, width * 0.92, color=BLUE, alpha=strength)
    axes.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_aspect("equal")
    label_axes(axes, x="confidence (fraction)", y="accuracy (fraction)", title=title)


def _bin_rows(bins: ReliabilityBins, when: str) -> list[tuple[str, ...]]:
    width = 1 / len(bins.upper_edges)
    columns = zip(bins.upper_edges, bins.pictures, bins.confidence, bins.accuracy, strict=True)
    return [
        (when, f"{edge - width:.3f}", f"{edge:.3f}", str(pictures), f"{confidence:.3f}", f"{accuracy:.3f}")
        for edge, pictures, confidence, accuracy in columns
        if pictures
    ]


def _coverage_png(run: RunData, coverage: Floats, risk: Floats) -> bytes:
    """Draw what is known at home and what travels one above the other: their risks are of another order."""
    predictions = run.predictions
    foreign = predictions.part(predictions.of_split("foreign") & predictions.has_label)
    has_foreign = len(foreign.labels) > 0
    figure = new_figure(6.4 if has_foreign else 3.4)
    axes = figure.add_subplot(2 if has_foreign else 1, 1, 1)
    axes.plot(100 * coverage, 100 * risk, color=BLUE)
    _mark_gate(axes, run, run.known)
    _mark_certificate(axes, run.card.gate)
    _finish(axes, "test pictures of the sources trained on")
    if has_foreign:
        below = figure.add_subplot(2, 1, 2)
        far_coverage, far_risk = risk_coverage(run.certainty(foreign), foreign.is_right)
        below.plot(100 * far_coverage, 100 * far_risk, color=ORANGE)
        _mark_gate(below, run, foreign)
        _finish(below, "sources never trained on")
    return to_png(figure)


def _finish(axes: Axes, title: str) -> None:
    axes.set_xlim(0, 101)
    axes.set_ylim(0, _ROOM_ABOVE * max(axes.get_ylim()[1], 1.0))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="upper left")
    label_axes(axes, x="coverage (% of pictures answered)", y="risk (% of answers wrong)", title=title)


def _mark_gate(axes: Axes, run: RunData, part: Answers) -> None:
    accepted = run.is_accepted(part)
    if accepted.any():
        risk = 100 * (~part.is_right[accepted]).mean()
        name = f"the gate's threshold, {run.card.gate.threshold:.4g}"
        axes.plot([100 * accepted.mean()], [risk], "o", color=BLACK, label=name, zorder=3)


def _mark_certificate(axes: Axes, gate: Gate) -> None:
    """Draw what is certified; it holds for pictures like those of calibration only."""
    if gate.certificate:
        promised = 100 * gate.certificate.risk
        axes.axhline(promised, color=GREEN, linestyle=":", label=f"certified: at most {promised:.3g} % wrong")


def _point_sentence(run: RunData, known: Answers) -> str:
    accepted = run.is_accepted(known)
    if not accepted.any():
        return f"The threshold {run.card.gate.threshold:.4g} accepts none of them."
    wrong = (~known.is_right[accepted]).mean()
    return (
        f"The threshold {run.card.gate.threshold:.4g} accepts {percent(accepted.mean())} of them; "
        f"{percent(wrong)} of those are wrong."
    )


def _promise(gate: Gate) -> str:
    if gate.certificate is None:
        return "The card has no certificate."
    return f"The certificate allows {percent(gate.certificate.risk)}."
