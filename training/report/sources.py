"""Source by source: how the model does at home, how it travels, and what it defers.

Owns the tables by source. The sources that were never trained on are the honest test.
"""

from __future__ import annotations

from collections.abc import Iterator

from training.evaluation import auroc
from training.report.answers import Answers
from training.report.blocks import Block, LeftOut, Paragraph, Table, with_interval
from training.report.run_data import RunData
from training.source_figures import fraction_of, source_figures

_KNOWN_HEAD = (
    "source",
    "pictures",
    "right, if all are answered",
    "accepted",
    "wrong among accepted",
    "accepted and wrong, of all",
)
_OUTLIER_HEAD = ("domain", "pictures", "deferred", "accepted", "AUROC against the test pictures")
_NAMES = {"test": "kept back", "foreign": "never trained on"}


def source_blocks(run: RunData) -> list[Block]:
    """Return what the model does with each source, and with pictures that no label fits."""
    blocks: list[Block] = [
        Paragraph(
            "In brackets: the 95 % interval (Wilson), wide where pictures are few, and the counts. Pictures of "
            "sources never trained on tell how the model travels."
        )
    ]
    blocks.append(Table("Sources of pictures that show a class", _KNOWN_HEAD, tuple(_known_rows(run))))
    return [*blocks, _outlier_block(run)]


def _outlier_block(run: RunData) -> Block:
    try:
        rows = tuple(_outlier_rows(run))
    except LeftOut as reason:
        return Paragraph(f"What the gate defers is left out: {reason}")
    if not rows:
        return Paragraph("There are no pictures that no label fits, so nothing is known of deferring them.")
    return Table("Pictures that no label fits: the gate must defer them", _OUTLIER_HEAD, rows)


def _known_rows(run: RunData) -> Iterator[tuple[str, ...]]:
    for split, name in _NAMES.items():
        part = run.predictions.part(run.predictions.of_split(split) & run.predictions.has_label)
        for source in sorted(set(part.sources)):
            yield _known_row(run, part.part(part.sources == source), f"{source} ({name})")


def _known_row(run: RunData, part: Answers, name: str) -> tuple[str, ...]:
    right = with_interval(fraction_of(part.is_right))
    try:
        figures = source_figures(part.is_right, run.is_accepted(part))
    except LeftOut:
        return (name, str(len(part.labels)), right, "–", "–", "–")
    shown = (figures.accepted, figures.wrong_among_accepted, figures.accepted_and_wrong)
    return (name, str(len(part.labels)), right, *(with_interval(fraction) for fraction in shown))


def _outlier_rows(run: RunData) -> Iterator[tuple[str, ...]]:
    outliers = run.predictions.part(run.predictions.of_split(*_NAMES) & ~run.predictions.has_label)
    for domain in sorted(set(outliers.domains)):
        of_domain = outliers.part(outliers.domains == domain)
        yield _outlier_row(run, of_domain, str(domain))
        sources = sorted(set(of_domain.sources))
        for source in sources if len(sources) > 1 else ():
            yield _outlier_row(run, of_domain.part(of_domain.sources == source), f"{domain}: {source}")


def _outlier_row(run: RunData, part: Answers, name: str) -> tuple[str, ...]:
    accepted = run.is_accepted(part)
    deferring = auroc(run.certainty(run.known), run.certainty(part))
    shares = (with_interval(fraction_of(~accepted)), with_interval(fraction_of(accepted)))
    return (name, str(len(part.labels)), *shares, f"{deferring:.3f}")
