"""CLIP models so small that they run at once: one known to open_clip by name, and our own packs."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch

from fishgate.model_card import Architecture, Kind, Library, ModelCard
from fishgate.networks import build_network
from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode
from fishgate.taxonomy import Taxon
from training import pack

NAME = "toy-fish-clip"
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
SEEN = Preprocessing(
    width_px=32,
    height_px=32,
    resize_mode=ResizeMode.SQUASH,
    interpolation=Interpolation.BILINEAR,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def register_toy_clip(folder: Path) -> None:
    """Make the toy model known to open_clip by its name."""
    folder.mkdir(exist_ok=True)
    (folder / f"{NAME}.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder)


def toy_clip() -> open_clip.CLIP:
    """Return the toy model with weights that have learnt nothing."""
    torch.manual_seed(5)
    return open_clip.CLIP(**CONFIG)


def write_checkpoint(path: Path) -> Path:
    """Write the toy model as open_clip's own training does: under "state_dict", with the names of a parallel model."""
    state = {f"module.{name}": tensor for name, tensor in toy_clip().state_dict().items()}
    torch.save({"epoch": 3, "name": "toy", "state_dict": state}, path)
    return path


def write_pack(folder: Path) -> Path:
    """Write the toy model as a pack of ours."""
    card = ModelCard(
        name="zero_shot",
        version="toy",
        kind=Kind.ZERO_SHOT,
        architecture=Architecture(library=Library.OPEN_CLIP, name=NAME, config=CONFIG),
        weights=pack.save_weights(toy_clip(), folder),
        preprocessing=SEEN,
        labels={"0": Taxon(label="Trout")},
        gate=pack.NO_GATE,
        training={},
        metrics={},
        limits="A toy.",
        licence="None needed.",
    )
    pack.save_card(card, folder)
    return folder


TOWER = "test_efficientnet"
"""The smallest network of timm that is built like the demo expert's."""


def write_expert(folder: Path, *, classes: int) -> Path:
    """Write an expert's pack of that network, which has learnt nothing and defers every picture."""
    torch.manual_seed(1)
    architecture = Architecture(library=Library.TIMM, name=TOWER)
    card = ModelCard(
        name="expert",
        version="toy",
        kind=Kind.EXPERT,
        architecture=architecture,
        weights=pack.save_weights(build_network(architecture, classes), folder),
        preprocessing=SEEN,
        labels={str(i): Taxon(label=f"class {i}") for i in range(classes)},
        gate=pack.NO_GATE,
        training={},
        metrics={},
        limits="A toy.",
        licence="None needed.",
    )
    pack.save_card(card, folder)
    return folder
