"""A model is changed while a real server answers: no request is lost, and a bad version is not let in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests

from benchmarks.paced.pack import CONFIGS, HERE, paced_card
from fishgate.model_card import Kind, write_card
from server import gateway_process
from server.archives import ModelSource, version_of
from server.deploy.deploying import Deployer
from server.deploy.errors import DeployError
from server.deploy.registry import Limits
from server.management import TorchServe
from server.manifests import write_pack_manifest
from server.verifying import check_store
from tests.e2e.conftest import SAMPLE, running_server
from tests.e2e.test_gateway_faults import Load

OTHER_PACKETS = """
from fishgate import packet

packet.MAGIC = b"FGP9"
"""
"""Behind a handler: it knows pictures, and packets of another time."""


@dataclass
class Scene:
    """A server with its gateway, and what a change of its models needs."""

    server: TorchServe
    folder: Path

    @property
    def door(self) -> str:
        return self.server.settings.gateway_url

    def deployer(self) -> Deployer:
        settings = self.server.settings

        def has_gateway() -> bool:
            return gateway_process.running(settings) is not None

        return Deployer(settings, has_gateway=has_gateway, say=print, limits=Limits(settle_s=0.2))

    def sources(self, version: str) -> list[ModelSource]:
        """The paced models under another version."""
        return [self._source(kind, version) for kind in Kind]

    def golden(self, label: str) -> Path:
        """A golden set that wants this label of both models."""
        (self.folder / "golden.jpg").write_bytes(SAMPLE)
        path = self.folder / "golden.json"
        path.write_text(json.dumps({"pictures": [{"file": "golden.jpg", "expert": [label], "zero_shot": [label]}]}))
        return path

    def counted(self, model: str, version: str) -> float:
        """How many pictures the gateway says a version answered."""
        labels = f'{{model="{model}",outcome="answered",version="{version}"}}'
        text = requests.get(f"{self.door}/metrics", timeout=30).text
        found = [
            line for line in text.splitlines() if line.startswith(f"fishgate_gateway_version_answers_total{labels}")
        ]
        return float(found[0].split()[-1]) if found else 0.0

    def _source(self, kind: Kind, version: str) -> ModelSource:
        folder = self.folder / version / kind.value
        folder.mkdir(parents=True, exist_ok=True)
        write_card(paced_card(kind).model_copy(update={"version": version}), folder)
        write_pack_manifest(folder)
        return ModelSource(kind.value, HERE / f"{kind.value}_handler.py", CONFIGS[kind], folder)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, paced_store: Path) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("deploy")
    store = shutil.copytree(paced_store, folder / "store")
    home = folder / "home"
    home.mkdir()
    with running_server(home, store) as server:
        process = gateway_process.start(server.settings)
        try:
            gateway_process.wait_until_ready(server.settings, process, limit_s=240)
            yield Scene(server, folder)
        finally:
            gateway_process.stop(server.settings)


def test_a_version_that_fails_the_golden_set_is_not_let_in(scene: Scene) -> None:
    before, expert = scene.server.versions("fish__expert").keys(), scene.sources("bad")[0]
    load = Load(scene.door)
    with load.running():
        load.answers(20)
        with pytest.raises(DeployError, match="should be a boot"):
            scene.deployer().deploy("bad", [expert], golden=scene.golden("a boot"))
        load.answers(20)
    assert set(load.codes) == {"ok"}, load.codes
    assert scene.server.versions("fish__expert").keys() == before
    assert scene.counted("expert", version_of(expert)) == 0


def test_a_version_that_the_gateway_cannot_read_costs_nobody_a_request(scene: Scene) -> None:
    before = scene.server.versions("fish__expert").keys()
    handler = scene.folder / "expert_handler.py"
    handler.write_text((HERE / handler.name).read_text() + OTHER_PACKETS)
    foreign = replace(scene.sources("foreign")[0], handler=handler)
    load = Load(scene.door)
    with load.running():
        load.answers(20)
        with pytest.raises(DeployError, match=f"the gateway set fish__expert/{version_of(foreign)} aside"):
            scene.deployer().deploy("foreign", [foreign], golden=scene.golden("species 0"))
        load.answers(20)
    assert set(load.codes) == {"ok"}, load.codes
    assert scene.server.versions("fish__expert").keys() == before


def test_a_model_is_changed_under_load_by_way_of_a_canary(scene: Scene) -> None:
    sources = scene.sources("paced-2")
    expert, zero_shot = (version_of(source) for source in sources)
    load = Load(scene.door)
    with load.running():
        load.answers(20)
        scene.deployer().deploy("paced-2", sources, golden=scene.golden("species 0"), share=0.5)
        load.answers(200)
        divided = [scene.counted("expert", version) for version in ("paced", expert)]
        scene.deployer().promote()
        load.answers(50)
    assert set(load.codes) == {"ok"}, load.codes
    assert min(divided) > 0
    assert list(scene.server.versions("fish__expert")) == [expert]
    assert list(scene.server.versions("zero_shot")) == [zero_shot]
    check_store(scene.server.settings.store)


def test_afterwards_everybody_gets_the_new_version(scene: Scene) -> None:
    answer = requests.post(f"{scene.door}/v1/identify?threshold=1", data=SAMPLE, timeout=60).json()
    assert answer["models"] == {"expert": "paced-2", "zero_shot": "paced-2"}
    assert scene.server.identify(SAMPLE, {"threshold": "1"})["models"] == answer["models"]  # the workflow, too
