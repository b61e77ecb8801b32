"""The worst mistakes as pictures: answers that are wrong and of which the model is most certain.

Owns which pictures are shown and how small. They stay in the run folder: photographs may not be ours to pass on.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.report.answers import Answers, Flags
from training.report.blocks import Block, Gallery, LeftOut, Paragraph, Picture, percent
from training.report.run_data import RunData

MOST_SHOWN = 12
_SIDE_PX = 200
_JPEG_QUALITY = 80


def mistake_blocks(run: RunData) -> list[Block]:
    """Return the most certain wrong answers: at home, on sources never trained on, and where no label fits."""
    if not run.photos.is_dir():
        raise LeftOut("The folder of photographs that the recipe names is not there, so no mistakes can be shown.")
    predictions = run.predictions
    wrong = ~predictions.is_right
    parts = {
        "Test pictures": predictions.of_split("test") & predictions.has_label,
        "Pictures of sources never trained on": predictions.of_split("foreign") & predictions.has_label,
        "Pictures that no label fits": predictions.of_split("test", "foreign") & ~predictions.has_label,
    }
    blocks: list[Block] = []
    for name, chosen in parts.items():
        blocks += _gallery(run, name, chosen, wrong)
    return blocks


def _gallery(run: RunData, name: str, chosen: Flags, wrong: Flags) -> list[Block]:
    if not chosen.any():
        return [Paragraph(f"{name}: there are none.")]
    part = run.predictions.part(chosen & wrong)
    if not len(part.labels):
        return [Paragraph(f"{name}: none of the {int(chosen.sum())} is answered wrongly.")]
    certainty = _certainty(run, part)
    order = np.argsort(-certainty, kind="stable")[:MOST_SHOWN]
    pictures = tuple(_picture(run, part, int(number), float(certainty[number])) for number in order)
    shown = f"the {len(order)} most certain of {len(part.labels)} wrong answers to {int(chosen.sum())} pictures"
    return [Gallery(f"{name}: {shown}", pictures)]


def _certainty(run: RunData, part: Answers) -> NDArray[np.float64]:
    """Return the gate's certainty, or where the run does not tell it the confidence at temperature 1."""
    try:
        return run.certainty(part)
    except LeftOut:
        return np.asarray(part.probabilities().max(axis=1))


def _picture(run: RunData, part: Answers, number: int, certainty: float) -> Picture:
    answer = run.labels[part.named[number]]
    label = int(part.labels[number])
    truth = run.labels[label] if label >= 0 else f"no label ({part.domains[number]})"
    lines = (f"answered {answer}", f"is {truth}", f"certainty {percent(certainty)}", str(part.sources[number]))
    path = run.photos / str(part.paths[number])
    return Picture(_thumbnail(path), f"Photograph of {truth}, answered {answer}", lines)


def _thumbnail(path: Path) -> bytes:
    """Return a small upright JPEG of a photograph; raise LeftOut if it is gone."""
    if not path.is_file():
        raise LeftOut(f"The photograph {path.name} is not in the folder that the recipe names; nothing can be shown.")
    buffer = BytesIO()
    with Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    picture.thumbnail((_SIDE_PX, _SIDE_PX))
    picture.save(buffer, format="JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
