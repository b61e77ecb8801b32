"""The gate: which scores were compared, which was chosen, and what its certificate promises.

Owns this part of the page; the choice is ``training.gate_study``'s, the promise ``training.certification``'s.
"""

from __future__ import annotations

from typing import Any

from fishgate.model_card import Certificate, GateRule
from training.report.blocks import Block, LeftOut, Paragraph, Table, percent
from training.report.run_data import RunData


def score_comparison_blocks(run: RunData) -> list[Block]:
    """Return the figures of every score that was compared, the chosen one marked."""
    scores: dict[str, dict[str, Any]] = run.gate["scores"]
    if not scores:
        raise LeftOut("No scores of the gate were compared.")
    chosen = run.gate.get("chosen")
    columns = list(dict.fromkeys(column for figures in scores.values() for column in figures))
    rows = tuple(
        (f"{name} (chosen)" if name == chosen else name, *(_figure(figures.get(column)) for column in columns))
        for name, figures in scores.items()
    )
    head = ("score", *(column.replace("_", " ") for column in columns))
    return [Table("Scores that tell which answers to defer", head, rows)]


def certificate_blocks(run: RunData) -> list[Block]:
    """Return the promise of the gate in words, or that there is none."""
    gate = run.card.gate
    blocks: list[Block] = [Paragraph(f"Threshold {gate.threshold:.4g}. {gate.evidence}")]
    if gate.rule:
        blocks.append(_rule_table(gate.rule))
    if gate.certificate is None:
        return [*blocks, Paragraph("The card has no certificate: nothing is promised.")]
    return [*blocks, *_certificate_words(gate.certificate)]


def _certificate_words(certificate: Certificate) -> list[Block]:
    return [
        Paragraph(
            f"Of the answers that the gate accepts, at most {percent(certificate.risk)} are wrong, with "
            f"{percent(certificate.confidence)} confidence, on pictures like the {certificate.pictures} of the "
            f"calibration set. Of those the gate accepts {certificate.accepted} ({percent(certificate.coverage)}), "
            f"{certificate.wrong} of them wrong. On pictures of another kind it promises nothing."
        ),
        Paragraph(
            f"Method: {certificate.method}. Fingerprint of the calibration set: {certificate.data_sha256}; "
            f"of all that decides an answer and its acceptance: {certificate.model_sha256}."
        ),
    ]


def _rule_table(rule: GateRule) -> Table:
    rows = [("intercept", f"{rule.intercept:.4g}")]
    rows += [(measure.value, f"{weight:.4g}") for measure, weight in rule.weights.items()]
    caption = f"The rule {rule.score.value}: certainty is the sigmoid of the intercept plus weight times measure"
    return Table(caption, ("measure", "weight"), tuple(rows))


def _figure(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
