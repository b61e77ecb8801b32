"""What a finished pack says of photographs: logits and features, through the code that serves it.

Owns the run over photographs and the file that keeps its result, so that figures, gate and report
can be had again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from fishgate.expert import build_classifier, load_weights
from fishgate.model_card import CARD_FILE, Kind, ModelCard, checked_weights, read_card
from fishgate.networks import logits_and_features
from fishgate.preprocessing import normalise
from training.optimisation import choose_device
from training.photos import Photo, read_pixels

PICTURES_AT_ONCE = 32
FOREIGN = "foreign"
"""The split of photographs of other sources, and of those that no class fits."""

GATE = "gate"
"""The split of photographs that no class fits and that the gate may be fitted on."""

TRAINING_FILE = "training_predictions.npz"
"""What a model says of the photographs that it was trained on, whose features the gate may need."""

Texts = NDArray[np.str_]


@dataclass(frozen=True)
class Predictions:
    """Photographs in one order, with the model's logits (N, labels) at temperature 1 and its features (N, D).

    ``label`` is -1 where no class fits. ``weights_sha256`` says which weights spoke, shape ().
    """

    path: Texts
    source: Texts
    domain: Texts
    group: Texts
    split: Texts
    label: NDArray[np.int64]
    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    weights_sha256: Texts

    def __len__(self) -> int:
        return len(self.path)

    def where(self, chosen: NDArray[np.bool_]) -> Predictions:
        """Return the photographs that are chosen (N,)."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return Predictions(**{name: value[chosen] if value.ndim else value for name, value in columns.items()})

    def of(self, split: str) -> Predictions:
        """Return the photographs of one split."""
        return self.where(self.split == split)

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the first name of each photograph is right."""
        return np.asarray(self.logits.argmax(axis=1) == self.label)


class Labelled(Protocol):
    """Photographs in a folder, and the right output for each."""

    @property
    def folder(self) -> Path:
        """The folder that their paths start from."""

    def label_of(self, photo: Photo) -> int:
        """Return the right output for a photograph, -1 if no class fits."""


Parts = Mapping[str, Sequence[Photo]]
"""Photographs by the name of their split."""

Passes = Callable[[Path, Sequence[Photo], Path], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Runs the pack in a folder over photographs in another; returns logits (N, labels) and features (N, D)."""


def predictions_of(
    pack: Path, dataset: Labelled, parts: Parts, *, kept: Path | None = None, passes: Passes | None = None
) -> Predictions:
    """Run a pack over the photographs of each split named in ``parts``, in their order.

    The result is kept in the file ``kept``, and taken from there if it is of the same weights and
    photographs. ``passes`` is for a pack that is no expert's. Raises ValueError if there are no photographs.
    """
    photos = [photo for part in parts.values() for photo in part]
    if not photos:
        raise ValueError("no photographs are kept back to measure by; set data.validation, calibration or test above 0")
    sha256 = ModelCard.model_validate_json((pack / CARD_FILE).read_bytes()).weights.sha256
    if kept and kept.exists():
        before = read_predictions(kept)
        is_same = str(before.weights_sha256) == sha256 and before.path.tolist() == [photo.path for photo in photos]
        if is_same and before.features.dtype == np.float32:
            return before
    logits, features = (passes or expert_passes)(pack, photos, dataset.folder)
    predictions = arranged(dataset, parts, logits=logits, features=features, weights_sha256=sha256)
    if kept:
        write_predictions(kept, predictions)
    return predictions


def arranged(
    dataset: Labelled,
    parts: Parts,
    *,
    logits: NDArray[np.float32],
    features: NDArray[np.float32],
    weights_sha256: str,
) -> Predictions:
    """Return logits and features, both in the order of ``parts``, with what is known of the photographs."""
    photos = [photo for part in parts.values() for photo in part]
    return Predictions(
        path=np.array([photo.path for photo in photos]),
        source=np.array([photo.source for photo in photos]),
        domain=np.array([photo.domain for photo in photos]),
        group=np.array([photo.group for photo in photos]),
        split=np.array([split for split, part in parts.items() for _ in part]),
        label=np.array([dataset.label_of(photo) for photo in photos], dtype=np.int64),
        logits=logits,
        features=features,
        weights_sha256=np.array(weights_sha256),
    )


def read_predictions(path: Path) -> Predictions:
    """Read the file that a run keeps."""
    with np.load(path) as kept:
        return Predictions(**{field.name: kept[field.name] for field in fields(Predictions)})


@torch.inference_mode()
def expert_passes(pack: Path, photos: Sequence[Photo], folder: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return logits and features in single precision, as a CPU serves them, on the GPU if there is one."""
    card, device = read_card(pack, kind=Kind.EXPERT), choose_device()
    network = build_classifier(card)
    load_weights(network, card, checked_weights(card, pack))
    network = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    logits, features = [], []
    for start in tqdm(range(0, len(photos), PICTURES_AT_ONCE), desc="predicting", unit="batch", mininterval=5):
        pixels = [read_pixels(photo, folder, card.preprocessing) for photo in photos[start : start + PICTURES_AT_ONCE]]
        pictures = normalise(pixels, card.preprocessing, device=device)
        scores, seen = logits_and_features(network, pictures.contiguous(memory_format=torch.channels_last))
        logits.append(scores.float().cpu().numpy())
        features.append(seen.float().cpu().numpy())
    return np.concatenate(logits), np.concatenate(features)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the file that a run keeps, whole or not at all."""
    unfinished = path.with_name(path.stem + ".unfinished.npz")
    np.savez_compressed(unfinished, **{field.name: getattr(predictions, field.name) for field in fields(predictions)})
    unfinished.replace(path)
