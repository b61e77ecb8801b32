"""What the tests of packs share: a running hub, and folders of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torchvision

from fishgate.model_card import sha256_of
from packs.hub import Hub
from packs.pack import Folders, fetch_pack
from packs.sources import EXPERT
from tests.packs.hub_stand_in import FIRST_COMMIT, HubStandIn, running_hub

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = "weights.safetensors"


def fetch(hub: Hub, folders: Folders, revision: str | None = None) -> tuple[bool, Path, list[str]]:
    said: list[str] = []
    changed = fetch_pack(EXPERT, hub, folders, revision=revision, say=said.append)
    return changed, folders.pack(EXPERT), said


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Everything below a folder with hash and time of change."""
    return {
        str(path.relative_to(folder)): (sha256_of(path), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(autouse=True)
def no_leftovers(tmp_path: Path) -> Iterator[None]:
    """Real-sized weights are large, and pytest would keep those of three runs."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def server() -> Iterator[HubStandIn]:
    with running_hub() as running:
        yield running


@pytest.fixture
def hub(server: HubStandIn, tmp_path: Path) -> Hub:
    return Hub(server.url, cache=tmp_path / "cache")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(models=ROOT / "models", output=tmp_path / "models")


@pytest.fixture(scope="session")
def network() -> torch.nn.Module:
    """A ConvNeXt-Tiny of 40 classes with random weights: the true names and shapes."""
    torch.manual_seed(7)
    return torchvision.models.convnext_tiny(num_classes=40).eval()


@pytest.fixture(scope="session")
def pickled(network: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network's weights as they are published: a pickle of a plain state dict."""
    path = tmp_path_factory.mktemp("published") / EXPERT.weights[0]
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def published(server: HubStandIn, pickled: Path) -> HubStandIn:
    """The hub with the expert published on it."""
    server.publish(EXPERT.repository, FIRST_COMMIT, pickled)
    return server
