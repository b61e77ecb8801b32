"""Some training pictures as the network saw them, as one picture for people.

Owns which are shown. How a grid is drawn is said by ``training.report.samples``.
"""

from __future__ import annotations

import numpy as np
import torch

from training.augment import augment
from training.pictures import Pictures
from training.recipe import TrainingRecipe
from training.report.samples import augmented_grid
from training.run_folder import RunFolder

SHOWN = 24


def write_samples(recipe: TrainingRecipe, pictures: Pictures, count: int, run: RunFolder) -> None:
    """Change some of ``count`` training pictures as in training, and write them as a grid."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        rows = torch.randperm(count)[:SHOWN].numpy()
        chosen = torch.from_numpy(np.ascontiguousarray(pictures.take(rows)))
        changed = augment(chosen.permute(0, 3, 1, 2).float().contiguous(), chosen.shape[1], recipe.augmentation)
    grid = changed.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    run.augmented.write_bytes(augmented_grid(np.ascontiguousarray(grid)))
