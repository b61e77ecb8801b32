"""What the run was and what came out: headline figures, recipe, versions, near-duplicates.

Owns the first part of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.class_scores import class_scores, confusion_matrix, is_among_best
from training.report.blocks import Block, LeftOut, Paragraph, Plot, Table, percent, with_interval
from training.report.run_data import RunData
from training.source_figures import fraction_of, source_figures

_TOP = 5


def headline_blocks(run: RunData) -> list[Block]:
    """Return the figures that people ask for first, on test pictures of the sources trained on."""
    rows = (*_class_rows(run), *_gate_rows(run))
    about = (
        f"On {len(run.known.labels)} test pictures that were not trained on, of the same sources as the training "
        "pictures. In brackets: the 95 % interval (Wilson) and the counts."
    )
    return [Paragraph(about), Table("Headline figures", ("figure", "value"), rows)]


def fold_blocks(run: RunData) -> list[Block]:
    """Return the accuracy of each fold, where the run measured folds."""
    folds = run.metrics.get("folds")
    if not folds:
        raise LeftOut("This run measured no folds.")
    accuracies = folds["accuracies"]
    spread = f"{percent(folds['mean'])}, standard deviation {100 * folds['standard_deviation']:.1f} points"
    rows = tuple((str(number), percent(accuracy)) for number, accuracy in enumerate(accuracies, start=1))
    sentence = f"Trained and tested {len(accuracies)} times, each group tested once: mean accuracy {spread}."
    return [Paragraph(sentence), Table("Accuracy of each fold", ("fold", "accuracy"), rows)]


def recipe_blocks(run: RunData) -> list[Block]:
    """Return the recipe as run, one line a setting."""
    settings = run.recipe.model_dump(mode="json", exclude_none=True)
    rows = tuple((name, text) for name, text in _flat(settings))
    summary = f"Recipe {run.recipe.name}, version {run.recipe.version}, kind {run.recipe.kind}, seed {run.recipe.seed}."
    return [Paragraph(summary), Table("The recipe as run", ("setting", "value"), rows, is_folded=True)]


def version_blocks(run: RunData) -> list[Block]:
    """Return the versions, the commit, the device, and how long the training took."""
    rows = tuple((name, "not known" if value is None else str(value)) for name, value in run.versions.items())
    return [Paragraph(_time(run)), Table("Versions and machine", ("what", "value"), rows, is_folded=True)]


def sample_blocks(run: RunData) -> list[Block]:
    """Return the augmented training pictures."""
    alt = "A grid of training pictures, cropped, turned and coloured at random."
    return [Plot("augmented", run.augmented, alt, "Training pictures as the network sees them.")]


def duplicate_blocks(run: RunData) -> list[Block]:
    """Return how many near-duplicates there are, and how many crossed a published split."""
    found = run.duplicates
    crossing = found["crossing_published_split"]
    sentence = f"{found['pictures']} pictures form {found['groups']} groups of near-duplicates (perceptual hash). "
    sentence += "A group never crosses a split of this run. "
    if crossing is None:
        sentence += "No split was published with these pictures."
    else:
        sentence += (
            f"In the published split {crossing} test pictures have a near-duplicate among those trained on or "
            "validated with: figures on that split are not comparable with those here."
            if crossing
            else "In the published split none crosses."
        )
    return [Paragraph(sentence)]


def _class_rows(run: RunData) -> Iterator[tuple[str, str]]:
    known = run.known
    scores = class_scores(confusion_matrix(known.labels, known.named, classes=len(run.labels)))
    yield "accuracy, all answered", with_interval(fraction_of(known.is_right))
    among = is_among_best(known.logits, known.labels, _TOP)
    yield f"right name among the first {_TOP}", with_interval(fraction_of(among))
    yield "precision, mean over classes", percent(scores.macro(scores.precision))
    yield "recall, mean over classes", percent(scores.macro(scores.recall))
    yield "F1, mean over classes", percent(scores.macro(scores.f1))


def _gate_rows(run: RunData) -> Iterator[tuple[str, str]]:
    try:
        figures = source_figures(run.known.is_right, run.is_accepted(run.known))
    except LeftOut as reason:
        yield "accepted by the gate", f"not known. {reason}"
        return
    yield "accepted by the gate", with_interval(figures.accepted)
    yield "wrong among accepted", with_interval(figures.wrong_among_accepted)


def _time(run: RunData) -> str:
    try:
        seconds = sum(float(epoch["seconds"]) for epoch in run.history)
    except LeftOut:
        return "How long the training took is not known."
    return f"The epochs took {seconds / 60:.1f} minutes together."


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the settings of nested tables and of lists of tables, as key.path and text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{name}[{number}]")
    else:
        yield name, ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
