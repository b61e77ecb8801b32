"""The change of a model, step by step: to its end, and back at every failure."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from server.configuration import recall, remember
from server.deploy.deploying import Deployer
from server.deploy.errors import DeployError
from server.management import ManagementError
from server.manifests import write_pack_manifest
from tests.server.deploy_bench import QUICK, Bench
from tests.server.deploy_bench import bench as bench


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


def test_sources_that_change_while_they_are_built_are_not_registered(bench: Bench) -> None:
    assert bench.source.model is not None
    card = bench.source.model / "model_card.json"

    def change(text: str) -> None:
        if text.startswith("building"):
            card.write_text(json.dumps({"version": "toy 3"}))
            write_pack_manifest(card.parent)

    deployer = Deployer(bench.settings, has_gateway=lambda: True, say=change, limits=QUICK)
    with pytest.raises(DeployError, match="what the expert is built of changed meanwhile"):
        deployer.deploy("toy", [bench.source], golden=bench.settings.home)
    assert "POST /models" not in bench.server.calls
    assert bench.is_as_before()


def test_an_archive_that_was_changed_after_it_was_laid_is_not_registered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.deploy import steps

    def laid(*given: object, **more: object) -> None:
        lay_beside(*given, **more)
        (bench.settings.store / f"expert-{bench.new}.mar").write_bytes(b"other code")

    lay_beside = steps.lay_beside
    monkeypatch.setattr(steps, "lay_beside", laid)
    with pytest.raises(DeployError, match="is not the file that was built"):
        bench.deploy()
    assert "POST /models" not in bench.server.calls
    assert bench.is_as_before()


@pytest.mark.parametrize("is_new", [True, False], ids=["changed", "served already"])
def test_a_whole_pack_is_what_the_next_start_serves(bench: Bench, is_new: bool) -> None:
    remember(replace(bench.settings, models="expert"))
    bench.settings = recall(bench.settings.home)
    if not is_new:
        bench.server.versions["fish__expert"] = [bench.new]
        bench.server.default["fish__expert"] = bench.new
    assert bench.deploy() is is_new
    assert recall(bench.settings.home).pack == "toy"


def test_one_model_of_a_pack_is_not_the_pack(bench: Bench) -> None:
    bench.deploy()
    assert recall(bench.settings.home).pack == "demo"
