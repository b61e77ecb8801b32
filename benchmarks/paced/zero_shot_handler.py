"""A paced zero-shot: 200 ms a batch, whatever its size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fishgate.answer import Probabilities
from fishgate.model_card import Kind, ModelCard, read_card
from fishgate.preprocessing import Pixels
from fishgate.taxonomy import Taxon
from fishgate.zero_shot import Candidates
from handlers.adaptors import torchserve
from handlers.zero_shot_handler import ZeroShotHandler

BATCH_SECONDS = 0.2


class PacedZeroShotHandler(ZeroShotHandler):
    """The real handler around a network that only waits."""

    def _load(self, context: torchserve.Context) -> Any:
        self.card: ModelCard = read_card(torchserve.model_folder(context), kind=Kind.ZERO_SHOT)
        return self

    def taxa_for(self, candidates: Candidates) -> tuple[Taxon, ...]:
        """Return the card's labels, whatever the client wants."""
        return self.card.taxa

    def predict(self, batch: Sequence[Pixels], candidates: Sequence[Candidates]) -> list[Probabilities]:
        """Wait, then name the first label with 0.9."""
        time.sleep(BATCH_SECONDS)
        labels = len(self.card.taxa)
        answer = np.array([0.9] + [0.1 / (labels - 1)] * (labels - 1), dtype=np.float32)
        return [answer for _ in batch]
