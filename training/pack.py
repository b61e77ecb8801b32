"""A model pack: half-precision weights and their card in one folder.

Owns how both are written. It does not train or measure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from fishgate.model_card import Gate, ModelCard, Weights, sha256_of, write_card
from training.photos import Photo
from training.recipe import TrainingRecipe
from training.splits import Split, Splits

WEIGHTS_FILE = "weights.safetensors"
NO_GATE = Gate(threshold=1.0, evidence="not chosen yet")

SOURCE_NOTES = {
    "kaggle31": "the 'Fish Dataset' of 31 species (Lampa et al., 2022), published without a licence",
    "seafood11": "rotated pictures of one tray of each sea-food species; repository MIT, pictures not its own",
    "imagenet_fish": "ImageNet samples, research use",
}
UNKNOWN_RIGHTS = "rights mixed or not stated"
"""What is known of the origin and rights of the photographs of each source."""


def save_weights(network: nn.Module, folder: Path) -> Weights:
    """Write the weights in half precision; raise ValueError if one does not fit its range."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: _halved(name, tensor) for name, tensor in network.state_dict().items()}
    path = folder / WEIGHTS_FILE
    save_file(state, path)
    path.chmod(0o644)  # safetensors lets only the owner read, but the server may run as another user
    return Weights(file=WEIGHTS_FILE, sha256=sha256_of(path))


def save_card(card: ModelCard, folder: Path, **changed: Any) -> ModelCard:
    """Write the card with some fields changed, and return it."""
    card = card.model_copy(update=changed)
    write_card(card, folder)
    return card


def training_facts(
    recipe: TrainingRecipe,
    splits: Splits,
    *,
    start: dict[str, str],
    history: list[dict[str, Any]],
    exposed: Sequence[Photo] = (),
) -> dict[str, Any]:
    """Return what every card tells of its training: recipe, photographs, splits, start, seed and duration.

    ``exposed`` are the photographs of no class that were shown in training.
    """
    return {
        "recipe": recipe.model_dump(mode="json", exclude_none=True, exclude={"card", "output"}),
        "sources": {
            source: f"{count} photographs in training; {SOURCE_NOTES.get(source, UNKNOWN_RIGHTS)}"
            for source, count in sorted(Counter(photo.source for photo in splits[Split.TRAIN]).items())
        },
        "outliers_shown": dict(sorted(Counter(photo.source for photo in exposed).items())),
        "photographs": {split.value: len(photos) for split, photos in splits.items()},
        "split": "by near-duplicate groups, which never cross; subjects of under four groups train only",
        "start": start,
        "seed": recipe.seed,
        "epochs": len(history),
        "minutes": round(sum(float(entry["seconds"]) for entry in history) / 60, 1),
    }


def _halved(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor.cpu().contiguous()
    half = tensor.half().cpu().contiguous()
    if not half.isfinite().all():
        raise ValueError(f"{name!r} holds values beyond half precision ({tensor.abs().max():.3g})")
    return half
