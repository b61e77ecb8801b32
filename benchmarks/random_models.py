"""Real networks with random weights: they cost what trained ones cost, and need no download.

Owns how such a model, its card and the archives of a deployment with given batch sizes are written.
"""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file
from torch import nn

from benchmarks.paced.pack import HERE as PACED
from benchmarks.paced.pack import paced_card
from fishgate.expert import build_classifier
from fishgate.model_card import Architecture, Gate, Kind, Library, ModelCard, Weights, sha256_of, write_card
from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode
from fishgate.taxonomy import Taxon
from fishgate.text_embeddings import EMBEDDINGS_FILE, EMBEDDINGS_TENSOR, texts_identity
from fishgate.zero_shot import build_clip
from server.archives import ModelSource, build_model, build_workflow
from server.bootstrap import ROOT
from server.manifests import record_archive

LABELS = 40
WEIGHTS_FILE = "weights.safetensors"

VIT_L_14: dict[str, Any] = {  # as BioCLIP-2 has it
    "embed_dim": 768,
    "vision_cfg": {"image_size": 224, "layers": 24, "width": 1024, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 768, "heads": 12, "layers": 12},
}
TINY_CLIP: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 224, "layers": 1, "width": 64, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@dataclass(frozen=True)
class Sources:
    """The folders of card and weights that a deployment is made of; zero-shot None: the paced one."""

    expert: Path
    zero_shot: Path | None


def write_expert(folder: Path, architecture: str) -> None:
    """Write a torchvision classifier that never defers: its gate stands at 0."""
    card = _card(Kind.EXPERT, Architecture(library=Library.TORCHVISION, name=architecture))
    _write(folder, card, build_classifier(card))


def write_zero_shot(folder: Path, config: dict[str, Any]) -> None:
    """Write an open_clip model, with random embeddings of its labels, so that it starts at once."""
    card = _card(Kind.ZERO_SHOT, Architecture(library=Library.OPEN_CLIP, name="random", config=config))
    card = _write(folder, card, build_clip(card))
    texts = nn.functional.normalize(torch.randn(LABELS, config["embed_dim"]), dim=1)
    save_file({EMBEDDINGS_TENSOR: texts}, folder / EMBEDDINGS_FILE, metadata=texts_identity(card))


def build_store(store: Path, sources: Sources, *, device: str, batch_size: int) -> None:
    """Build the archives with the shipped settings of ``device``, but for the batch size."""
    with tempfile.TemporaryDirectory() as scratch:
        expert = ROOT / "models" / "expert" / f"model-config.{device}.yaml"
        _build(store, "expert", ROOT / "handlers", expert, sources.expert)
        router = ROOT / "models" / "router" / f"model-config.{device}.yaml"
        _build(store, "router", ROOT / "handlers", router, None)
        if sources.zero_shot is None:
            empty = Path(scratch) / "paced"
            empty.mkdir()
            write_card(paced_card(Kind.ZERO_SHOT), empty)
            _build(store, "zero_shot", PACED, PACED / "model-config.zero_shot.yaml", empty)
        else:
            config = ROOT / "models" / "zero_shot" / f"model-config.{device}.yaml"
            resized = _changed(config, Path(scratch) / "model-config.yaml", batchSize=batch_size)
            _build(store, "zero_shot", ROOT / "handlers", resized, sources.zero_shot)
        build_workflow(store, workflow_with(batch_size, device=device, folder=Path(scratch)))


def workflow_with(batch_size: int, *, device: str, folder: Path) -> Path:
    """Write the shipped workflow specification with another batch size of the expert."""
    specification = yaml.safe_load((ROOT / "handlers" / f"fish.{device}.yaml").read_text())
    specification["models"]["batch-size"] = batch_size
    path = folder / "fish.yaml"
    path.write_text(yaml.safe_dump(specification, sort_keys=False))
    return path


def _changed(source: Path, target: Path, **settings: int) -> Path:
    target.write_text(yaml.safe_dump({**yaml.safe_load(source.read_text()), **settings}, sort_keys=False))
    return target


def _build(store: Path, name: str, handlers: Path, config: Path, model: Path | None) -> None:
    """Build an archive; large files are added unpacked, since random numbers do not compress."""
    with tempfile.TemporaryDirectory() as scratch:
        small = Path(scratch) / "small"
        small.mkdir()
        files = sorted(model.iterdir()) if model else []
        weights = [path for path in files if path.name == WEIGHTS_FILE]
        for path in files:
            if path not in weights:
                (small / path.name).write_bytes(path.read_bytes())
        build_model(store, ModelSource(name, handlers / f"{name}_handler.py", config, small if model else None))
    with zipfile.ZipFile(store / f"{name}.mar", "a", zipfile.ZIP_STORED) as archive:
        for path in weights:
            archive.write(path, path.name)
    record_archive(store / f"{name}.mar")


def _write(folder: Path, card: ModelCard, network: nn.Module) -> ModelCard:
    folder.mkdir(parents=True, exist_ok=True)
    # Half of the bytes to write, pack and read; they are loaded as float32 again.
    tensors = {
        name: tensor.bfloat16().contiguous() if tensor.is_floating_point() else tensor.contiguous()
        for name, tensor in network.state_dict().items()
    }
    save_file(tensors, folder / WEIGHTS_FILE)
    weights = Weights(file=WEIGHTS_FILE, sha256=sha256_of(folder / WEIGHTS_FILE))
    card = card.model_copy(update={"weights": weights})
    write_card(card, folder)
    return card


def _card(kind: Kind, architecture: Architecture) -> ModelCard:
    return ModelCard(
        name=f"random-{kind.value}",
        version="random",
        kind=kind,
        architecture=architecture,
        weights=Weights(file=WEIGHTS_FILE, sha256="0" * 64),
        preprocessing=Preprocessing(
            width_px=224,
            height_px=224,
            resize_mode=ResizeMode.SQUASH,
            interpolation=Interpolation.BILINEAR,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
        ),
        labels={str(i): Taxon(label=f"species {i}") for i in range(LABELS)},
        gate=Gate(threshold=0.0, evidence="random weights: nothing may be deferred"),
        training={},
        metrics={},
        limits="for timing only",
        licence="Apache-2.0",
    )
