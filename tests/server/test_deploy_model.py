"""The change of a model, step by step: to its end, back at every failure, and mended after every interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.traffic import TRAFFIC_FILE
from gateway.versions import Versions
from server.archives import ModelSource, version_of
from server.bootstrap import ROOT
from server.configuration import Ports, Settings, remember
from server.deploy.deploying import Deployer
from server.deploy.errors import DeployError
from server.deploy.journal import JOURNAL, Phase, read_journal
from server.deploy.leftovers import clear_leftovers
from server.deploy.registry import Limits
from server.management import ManagementError
from server.manifests import record_archive, write_pack_manifest
from server.verifying import check_store
from tests.server.versions_stand_in import Held, VersionsStandIn, running

QUICK = Limits(load_s=5, follow_s=5, drain_s=5, settle_s=0, watch_s=0, look_every_s=0.01, warm_rounds=1)
NAMES = {"expert": "fish__expert", "zero_shot": "zero_shot"}


@dataclass
class Bench:
    """A server that is none, a gateway's eyes, and the new version of the expert."""

    settings: Settings
    server: VersionsStandIn
    versions: Versions
    source: ModelSource
    said: list[str]
    has_gateway: bool = True

    @property
    def new(self) -> str:
        return version_of(self.source)

    @property
    def path(self) -> str:
        return f"fish__expert/{self.new}"

    def deployer(self) -> Deployer:
        return Deployer(self.settings, has_gateway=lambda: self.has_gateway, say=self.said.append, limits=QUICK)

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
        versions = Versions(home / TRAFFIC_FILE)
        with following(versions):
            yield Bench(settings, server, versions, source, [])


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


def test_the_new_version_takes_the_place_of_the_old(bench: Bench) -> None:
    assert bench.deploy() is True
    assert bench.is_changed()
    assert bench.new.startswith("toy-2-")
    checked = bench.server.calls.index(f"POST /predictions/{bench.path}")
    switched = bench.server.calls.index(f"PUT /models/{bench.path}/set-default")
    removed = bench.server.calls.index("DELETE /models/fish__expert/1.0")
    assert checked < switched < removed
    assert bench.deploy() is False  # it is served already


def test_it_waits_for_what_is_under_way_to_the_old_version(bench: Bench) -> None:
    bench.versions.busy["fish__expert"] = 1
    changing = threading.Thread(target=bench.deploy)
    changing.start()
    while "switching" not in bench.said:
        assert changing.is_alive()
    while bench.versions.routes["expert"].main.path != bench.path:
        assert changing.is_alive()
    assert not [call for call in bench.server.calls if "DELETE" in call or "set-default" in call]
    bench.versions.busy["fish__expert"] = 0
    changing.join()
    assert bench.is_changed()


FAILURES = {  # what fails, and what is said
    "registering": ("POST /models", "as the test wants it"),
    "answering": ("POST /predictions", "does not answer fish.jpg"),
    "making it the default": ("PUT /models", "as the test wants it"),
}


@pytest.mark.parametrize(("call", "message"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_rolled_back(bench: Bench, call: str, message: str) -> None:
    bench.server.failing = [call]
    with pytest.raises((DeployError, ManagementError), match=message):
        bench.deploy()
    assert bench.is_as_before()


def test_a_version_that_fails_the_golden_set_is_rolled_back_before_anybody_met_it(bench: Bench) -> None:
    bench.server.labels[bench.new] = "Boot"
    with pytest.raises(
        DeployError, match=r"does not pass .* right are 0 of 1 .* 'Boot' to it, and should be Gold Fish"
    ):
        bench.deploy()
    assert bench.is_as_before()
    assert "switching" not in bench.said


def test_workers_that_do_not_load_are_rolled_back_with_their_reason(bench: Bench) -> None:
    bench.server.status = "UNLOADED"
    bench.settings.log.write_text("ERROR of an earlier time: expert is not served: long ago\n")

    def refuse(text: str) -> None:
        bench.said.append(text)
        if text.startswith("loading"):
            with bench.settings.log.open("a") as log:
                log.write("ERROR handlers: expert is not served: the hash differs\n")

    deployer = Deployer(bench.settings, has_gateway=lambda: True, say=refuse, limits=QUICK)
    with pytest.raises(DeployError, match="the hash differs"):
        deployer.deploy("toy", [bench.source], golden=bench.settings.home)
    assert bench.is_as_before()


def test_a_canary_gets_its_share_and_is_promoted(bench: Bench) -> None:
    bench.deploy(share=0.1)
    route = bench.versions.routes["expert"]
    assert route.canary is not None
    assert (route.main.path, route.canary.path, route.share) == ("fish__expert", bench.path, 0.1)
    bench.deployer().share(0.5)
    assert bench.versions.routes["expert"].share == 0.5
    with pytest.raises(DeployError, match="a canary is under way"):
        bench.deploy()
    bench.deployer().promote()
    assert bench.is_changed()


def test_a_canary_is_rolled_back(bench: Bench) -> None:
    bench.deploy(share=0.1)
    assert bench.deployer().roll_back() is True
    assert bench.is_as_before()
    assert bench.deployer().roll_back() is False
    with pytest.raises(DeployError, match="no canary is under way"):
        bench.deployer().promote()


KILLS = {  # the request during which it is killed: whether the change is then brought to its end
    "POST /models": False,
    "POST /predictions/": False,
    "PUT /models/": True,
    "DELETE /models/fish__expert/1.0": True,
}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.parametrize("call", KILLS)
def test_whatever_interrupts_it_the_next_call_finds_a_clear_state(
    bench: Bench, call: str, number: signal.Signals
) -> None:
    bench.has_gateway = False
    held = bench.server.held = Held(call)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(bench.settings.home), str(bench.source.model)], cwd=ROOT)
    assert held.reached.wait(60)
    os.kill(child.pid, number)
    held.go.set()
    bench.server.held = None
    assert child.wait(60) != 0
    is_removing = call.startswith("DELETE")
    if number is signal.SIGINT and not is_removing:  # then it has mended everything itself
        assert bench.is_as_before()
    assert bench.deployer().mend() is None
    is_over = KILLS[call] if number is signal.SIGKILL else is_removing
    assert bench.is_changed() if is_over else bench.is_as_before()


CHILD = """
import sys, json
from pathlib import Path
from server.configuration import recall
from server.deploy.deploying import Deployer
from tests.server.test_deploy_model import QUICK, source_in
home, model = map(Path, sys.argv[1:])
deployer = Deployer(recall(home), has_gateway=lambda: False, say=lambda text: None, limits=QUICK)
deployer.deploy("toy", [source_in(model)], golden=home)
"""


def source_in(model: Path) -> ModelSource:
    """The source that the bench has, in another process."""
    return ModelSource("expert", Path(__file__), ROOT / "models" / "expert" / "model-config.cpu.yaml", model)


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.REMOVING], ids=lambda phase: phase.value)
def test_a_server_starts_from_a_clear_state(bench: Bench, phase: Phase) -> None:
    bench.deploy(share=0.1)
    journal = bench.settings.home / JOURNAL
    journal.write_text(json.dumps({**json.loads(journal.read_text()), "phase": phase.value}))
    clear_leftovers(bench.settings)
    check_store(bench.settings.store)
    is_old = (bench.settings.store / "expert.mar").read_bytes() == b"old"
    assert is_old is (phase is Phase.CANARY)
    assert not (bench.settings.home / TRAFFIC_FILE).exists()
    assert read_journal(bench.settings.home) is None


def test_a_damaged_journal_is_named(bench: Bench) -> None:
    (bench.settings.home / JOURNAL).write_text("{")
    with pytest.raises(DeployError, match=r"deployment\.json cannot be read"):
        bench.deploy()
