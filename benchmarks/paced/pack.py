"""Archives of the paced models, in a store of their own."""

from __future__ import annotations

from pathlib import Path

from fishgate.model_card import Architecture, Gate, Kind, Library, ModelCard, Weights, write_card
from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode
from fishgate.taxonomy import Taxon
from server.archives import ModelSource, build_model, build_workflow
from server.bootstrap import ROOT

HERE = Path(__file__).resolve().parent
WORKFLOW = ROOT / "handlers" / "fish.cpu.yaml"
CONFIGS = {
    Kind.EXPERT: ROOT / "models" / "expert" / "model-config.cpu.yaml",
    Kind.ZERO_SHOT: HERE / "model-config.zero_shot.yaml",  # batches of 8, which the paced model takes as one
}


def build_paced(store: Path) -> None:
    """Build the archives of the paced expert and zero-shot, and the real router's, into ``store``."""
    for kind in Kind:
        folder = store / "sources" / kind.value
        folder.mkdir(parents=True, exist_ok=True)
        write_card(paced_card(kind), folder)
        build_model(store, ModelSource(kind.value, HERE / f"{kind.value}_handler.py", CONFIGS[kind], folder))
    router = ROOT / "models" / "router" / "model-config.cpu.yaml"
    build_model(store, ModelSource("router", ROOT / "handlers" / "router_handler.py", router, None))
    build_workflow(store, WORKFLOW)


def paced_card(kind: Kind) -> ModelCard:
    """Return a card that names no weights: a paced model has none."""
    return ModelCard(
        name=f"paced-{kind.value}",
        version="paced",
        kind=kind,
        architecture=Architecture(library=Library.TORCHVISION, name="none"),
        weights=Weights(file="none.safetensors", sha256="0" * 64),
        preprocessing=Preprocessing(
            width_px=64,
            height_px=64,
            resize_mode=ResizeMode.SQUASH,
            interpolation=Interpolation.BILINEAR,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
        ),
        labels={str(i): Taxon(label=f"species {i}") for i in range(40)},
        gate=Gate(threshold=0.5, evidence="paced: no network, no evidence"),
        training={},
        metrics={},
        limits="for timing only",
        licence="Apache-2.0",
    )
