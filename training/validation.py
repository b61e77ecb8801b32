"""How a network in training does on pictures that it does not learn from.

Owns that one pass; it changes neither weights nor rates. Finished packs are measured by
``training.evaluation``, through the serving code.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from fishgate.preprocessing import Preprocessing, normalise
from training.optimisation import Learner, Precision
from training.pictures import Examples

PICTURES_AT_ONCE = 32


@torch.inference_mode()
def measure(
    learner: Learner, examples: Examples, preprocessing: Preprocessing, precision: Precision
) -> tuple[float, float]:
    """Return the mean loss and the accuracy on whole, unchanged pictures."""
    learner.network.eval()
    loss, hits = 0.0, 0
    for start in range(0, len(examples), PICTURES_AT_ONCE):
        rows = np.arange(start, min(start + PICTURES_AT_ONCE, len(examples)))
        pictures = normalise(list(examples.pictures.take(rows)), preprocessing, device=precision.device)
        labels = torch.from_numpy(examples.labels[rows]).to(precision.device)
        with precision.autocast():
            scores = learner.scores(pictures.contiguous(memory_format=torch.channels_last))
        loss += nn.functional.cross_entropy(scores.float(), labels, reduction="sum").item()
        hits += int((scores.argmax(dim=1) == labels).sum())
    return loss / len(examples), hits / len(examples)
