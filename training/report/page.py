"""The report of a run as one self-contained HTML page.

Owns the order of the parts and the writing of the files; what a part says is its own module's. A
part whose files are missing says so in a sentence. The page names no outside address.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.report.blocks import Block, LeftOut, Paragraph, Plot, Section
from training.report.classes import confusion_blocks, distribution_blocks, score_blocks
from training.report.confidence import coverage_blocks, reliability_blocks
from training.report.curves import rate_blocks, training_blocks
from training.report.gate import certificate_blocks, score_comparison_blocks
from training.report.methods import method_blocks
from training.report.mistakes import mistake_blocks
from training.report.networks import network_blocks
from training.report.overview import (
    duplicate_blocks,
    fold_blocks,
    headline_blocks,
    recipe_blocks,
    sample_blocks,
    version_blocks,
)
from training.report.run_data import RunData
from training.report.sources import source_blocks
from training.run_folder import RunFolder, write_text

TEMPLATE = "page.html.jinja"

PARTS: tuple[tuple[str, str, Callable[[RunData], list[Block]]], ...] = (
    ("recipe", "Recipe", recipe_blocks),
    ("versions", "Time, versions and machine", version_blocks),
    ("headline", "Headline figures", headline_blocks),
    ("networks", "Networks compared", network_blocks),
    ("methods", "Zero-shot and linear probe", method_blocks),
    ("folds", "Folds", fold_blocks),
    ("sources", "Source by source", source_blocks),
    ("certificate", "The gate and its certificate", certificate_blocks),
    ("scores-compared", "Scores of the gate compared", score_comparison_blocks),
    ("coverage", "Risk and coverage", coverage_blocks),
    ("reliability", "Reliability", reliability_blocks),
    ("confusion", "Confusion", confusion_blocks),
    ("class-scores", "Scores of each class", score_blocks),
    ("mistakes", "The worst mistakes", mistake_blocks),
    ("training", "Training curves", training_blocks),
    ("rates", "Learning rates", rate_blocks),
    ("distribution", "Pictures of each class", distribution_blocks),
    ("samples", "Augmented pictures", sample_blocks),
    ("duplicates", "Near-duplicates", duplicate_blocks),
)
"""Anchor, title and content of each part, in the order of the page."""


def write_report(run: RunFolder) -> Path:
    """Write ``report.html`` and the plots of a run; return the path of the page."""
    data = RunData(run)
    sections = [Section(name, title, _blocks(content, data)) for name, title, content in PARTS]
    run.plots.mkdir(exist_ok=True)
    for plot in (block for section in sections for block in section.blocks if isinstance(block, Plot)):
        (run.plots / f"{plot.name}.png").write_bytes(plot.png)
    write_text(run.report, _html(f"Run {run.path.name}", sections))
    return run.report


def _blocks(content: Callable[[RunData], list[Block]], data: RunData) -> tuple[Block, ...]:
    try:
        return tuple(content(data))
    except LeftOut as reason:
        return (Paragraph(f"Left out: {reason}"),)


def _html(title: str, sections: list[Section]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # labels come from data sets
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(title=title, sections=sections)
