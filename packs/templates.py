"""Card templates: the committed part of a hub model's card, and how it is filled.

A template holds every key of a model card but ``version`` and ``weights``, which only a fetch
knows. Zero-shot's has no labels either: it names what the demo pack names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fishgate.model_card import CARD_FILE, ModelCard, Weights
from fishgate.record import explain
from packs.errors import ForeignWeights, TemplateError
from packs.hub import RemoteFile, Snapshot
from packs.sources import EXPERT, ZERO_SHOT, Source

TEMPLATE_FILE = "hub_card_template.json"
"""Beside the folder of the pack, not in it: where the pack comes in a volume, that hides what the folder held."""
WEIGHTS_FILE = "weights.safetensors"
_UNSEALED = "0" * 64


def unsealed_card(
    source: Source, snapshot: Snapshot, file: RemoteFile, *, models: Path, config: Path | None = None
) -> ModelCard:
    """Fill the template for one commit; only the hash of the weights is still to come.

    ``models`` is the folder of the committed templates, ``config`` the published configuration.
    """
    value = read_template(source, models)
    value["version"] = f"hub-{snapshot.revision[:8]}"
    value["weights"] = {"file": WEIGHTS_FILE, "sha256": _UNSEALED}
    value["training"]["source"] = _provenance(snapshot, file)
    if config is not None:
        value["architecture"]["config"] = published_config(config, value["preprocessing"])
    value.setdefault("labels", borrowed_labels(models))
    try:
        return ModelCard.model_validate(value)
    except ValidationError as error:
        raise TemplateError(f"{source.name}/{TEMPLATE_FILE} makes no model card: {explain(error)}") from None


def sealed_card(card: ModelCard, weights_sha256: str) -> ModelCard:
    """Return the card with the hash of its weights."""
    return card.model_copy(update={"weights": Weights(file=card.weights.file, sha256=weights_sha256)})


def read_template(source: Source, models: Path) -> dict[str, Any]:
    """Read a committed template as plain values."""
    return _read_object(models / source.name / TEMPLATE_FILE, TemplateError)


def borrowed_labels(models: Path) -> dict[str, Any]:
    """Return the labels of the demo pack's zero-shot card, or the expert's where there is none."""
    demo_card = models / ZERO_SHOT.name / "demo" / CARD_FILE
    value = _read_object(demo_card, TemplateError) if demo_card.is_file() else read_template(EXPERT, models)
    labels: dict[str, Any] = value["labels"]
    return labels


def published_config(path: Path, preprocessing: dict[str, Any]) -> dict[str, Any]:
    """Return the network's published configuration; refuse one made for other colours.

    Size, resize mode and interpolation are the template's own: it follows the published
    evaluation, from which this file is known to differ.
    """
    value = _read_object(path, ForeignWeights)
    config = value.get("model_cfg")
    if not isinstance(config, dict):
        raise ForeignWeights(f"{path.name} has the keys {', '.join(value) or 'none'}; 'model_cfg' is wanted")
    published = value.get("preprocess_cfg", {})
    for key in ("mean", "std"):
        if key in published and list(published[key]) != preprocessing[key]:
            raise ForeignWeights(
                f"{path.name} says {key} {published[key]}, the card template {preprocessing[key]}; mend the template"
            )
    return config


def _provenance(snapshot: Snapshot, file: RemoteFile) -> dict[str, str]:
    known = {"repository": snapshot.repository, "revision": snapshot.revision, "file": file.name}
    return known | ({"sha256": file.sha256} if file.sha256 else {})


def _read_object(path: Path, error: type[TemplateError | ForeignWeights]) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as cause:
        raise error(f"{path.name} cannot be read: {cause}") from None
    if not isinstance(value, dict):
        raise error(f"{path.name} holds a {type(value).__name__}, a JSON object is wanted")
    return value
