"""A paced expert: 5 ms a batch; sure of bright pictures, unsure of dark ones.

``FISHGATE_PACED_EXPERT_S`` sets another pace, in seconds: slow enough, and many hosts fit on one machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fishgate.expert import Finding
from fishgate.model_card import Kind, ModelCard, read_card
from fishgate.preprocessing import Pixels
from handlers.adaptors import torchserve
from handlers.expert_handler import ExpertHandler

BATCH_SECONDS = float(os.environ.get("FISHGATE_PACED_EXPERT_S", "0.005"))


class PacedExpertHandler(ExpertHandler):
    """The real handler around a network that only waits."""

    def _load(self, context: torchserve.Context) -> Any:
        self.card: ModelCard = read_card(torchserve.model_folder(context), kind=Kind.EXPERT)
        return self

    def examine(self, batch: Sequence[Pixels]) -> list[Finding]:
        """Wait, then be 0.99 sure of a bright picture and 0.30 sure of a dark one."""
        time.sleep(BATCH_SECONDS)
        return [_finding(0.99 if pixels.mean() > 127 else 0.30, len(self.card.taxa)) for pixels in batch]


def _finding(first: float, labels: int) -> Finding:
    rest = (1.0 - first) / (labels - 1)
    return Finding(np.array([first] + [rest] * (labels - 1), dtype=np.float32), first)
