"""What the change of a model is tried on: a server that is none, a gateway's eyes, and a new version of the expert."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.traffic import TRAFFIC_FILE
from gateway.versions import Versions
from server.archives import ModelSource, version_of
from server.bootstrap import ROOT
from server.configuration import Ports, Settings, remember
from server.deploy.deploying import Deployer
from server.deploy.journal import read_journal
from server.deploy.registry import Limits
from server.manifests import record_archive, write_pack_manifest
from server.verifying import check_store
from tests.server.versions_stand_in import VersionsStandIn, running

QUICK = Limits(load_s=5, follow_s=5, drain_s=5, settle_s=0, watch_s=0, look_every_s=0.01, warm_rounds=1)


@dataclass
class Bench:
    """A server that is none, a gateway's eyes, and the new version of the expert."""

    settings: Settings
    server: VersionsStandIn
    versions: Versions
    source: ModelSource
    said: list[str] = field(default_factory=list)
    has_gateway: bool = True
    limits: Limits = QUICK
    refused: set[str] = field(default_factory=set)
    """The addresses of canaries that the gateway cannot read."""
    routed: list[tuple[str, str | None, float]] = field(default_factory=list)
    """Where the expert's packets went: main, canary, its share."""

    @property
    def new(self) -> str:
        return version_of(self.source)

    @property
    def path(self) -> str:
        return f"fish__expert/{self.new}"

    def deployer(self) -> Deployer:
        return Deployer(self.settings, has_gateway=lambda: self.has_gateway, say=self.said.append, limits=self.limits)

    def rerouted(self) -> None:
        """The routes are others: what a gateway finds out about a canary by asking it, it knows here at once."""
        route = self.versions.routes["expert"]
        canary = route.canary.path if route.canary else None
        self.routed.append((route.main.path, canary, route.share))
        if canary in self.refused:
            self.versions.trials.unreadable(canary, "the test wants it so")

    def deploy(self, **options: object) -> bool:
        return self.deployer().deploy("toy", [self.source], golden=self.settings.home / "golden.json", **options)

    def is_as_before(self) -> bool:
        """Tell whether nothing is left of a change."""
        assert (self.server.versions["fish__expert"], self.server.default["fish__expert"]) == (["1.0"], "1.0")
        assert (self.settings.store / "expert.mar").read_bytes() == b"old"
        return self._is_clear()

    def is_changed(self) -> bool:
        """Tell whether only the new version is there, and the next start loads it."""
        assert self.server.versions["fish__expert"] == [self.new] == [self.server.default["fish__expert"]]
        assert (self.settings.store / "expert.mar").read_bytes() != b"old"
        return self._is_clear()

    def _is_clear(self) -> bool:
        check_store(self.settings.store)
        assert sorted(path.name for path in self.settings.store.glob("*.mar")) == ["expert.mar"]
        assert not (self.settings.home / "deploying").exists()
        assert read_journal(self.settings.home) is None
        self.versions.look()
        return self.versions.routes["expert"].main.path == "fish__expert" and not self.versions.is_divided


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    home, store, model = (tmp_path / name for name in ("home", "store", "model"))
    for folder in (home, store, model):
        folder.mkdir()
    (model / "model_card.json").write_text(json.dumps({"version": "toy 2"}))
    write_pack_manifest(model)
    (store / "expert.mar").write_bytes(b"old")
    record_archive(store / "expert.mar")
    (home / "fish.jpg").write_bytes(b"a picture")
    (home / "golden.json").write_text(json.dumps({"pictures": [{"file": "fish.jpg", "expert": ["Gold Fish"]}]}))
    source = source_in(model)
    with running(store) as server:
        ports = Ports(inference=server.port, management=server.port)
        settings = Settings(home=home, store=store, ports=ports, has_tokens=False, own_lists=home / "lists")
        remember(settings)
        versions = Versions(home / TRAFFIC_FILE, on_change=lambda: bench.rerouted())
        bench = Bench(settings, server, versions, source)
        with following(versions):
            yield bench


def following(versions: Versions) -> threading.Thread:
    """A gateway's look at the file, again and again."""

    class Following(threading.Thread):
        def run(self) -> None:
            while not self.over.wait(0.01):
                versions.look()

        def __enter__(self) -> None:
            self.over = threading.Event()
            self.start()

        def __exit__(self, *_: object) -> None:
            self.over.set()
            self.join()

    return Following()


def source_in(model: Path) -> ModelSource:
    """The source that the bench has, in another process."""
    return ModelSource("expert", Path(__file__), ROOT / "models" / "expert" / "model-config.cpu.yaml", model)
