"""Which photographs an expert would send on to zero-shot.

Owns the run of its pack over photographs, gate included, through the code that serves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fishgate.device import Device
from fishgate.expert import load_expert
from fishgate.images import open_picture
from fishgate.preprocessing import Pixels, Preprocessing, to_pixels

PICTURES_AT_ONCE = 32


def deferred_by(expert_pack: Path, paths: Sequence[str] | NDArray[np.str_], folder: Path) -> NDArray[np.bool_]:
    """Tell of each photograph, by its path below ``folder``, whether the expert's gate defers it: (N,)."""
    expert = load_expert(expert_pack, Device("cpu"))
    certainties: list[float] = []
    starts = range(0, len(paths), PICTURES_AT_ONCE)
    for start in tqdm(starts, desc="asking the expert", unit="batch", mininterval=5):
        part = [folder / str(path) for path in paths[start : start + PICTURES_AT_ONCE]]
        batch = [_pixels(path, expert.card.preprocessing) for path in part]
        certainties += [finding.certainty for finding in expert.examine(batch)]
    return np.array(certainties) < expert.card.gate.threshold


def _pixels(path: Path, preprocessing: Preprocessing) -> Pixels:
    return to_pixels(open_picture(path.read_bytes(), needed_px=preprocessing.needed_px), preprocessing)
