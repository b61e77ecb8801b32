"""A new version is trusted only once the gateway is seen to understand it; until then the old one stands in."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.traffic import SEEN_FILE, TRAFFIC_FILE
from server.deploy.errors import DeployError
from server.deploy.traffic import set_aside
from tests.server.deploy_bench import Bench
from tests.server.deploy_bench import bench as bench

OLD = "fish__expert"


def test_the_old_version_stands_in_until_the_new_one_is_seen_to_do(bench: Bench) -> None:
    bench.deploy()
    assert bench.routed == [(OLD, bench.path, 1.0), (bench.path, None, 0.0), (OLD, None, 0.0)]


def test_a_version_that_the_gateway_cannot_read_is_rolled_back_before_anybody_depends_on_it(bench: Bench) -> None:
    bench.refused.add(bench.path)
    with pytest.raises(DeployError, match=rf"the gateway set {bench.path} aside: it failed .*gateway\.log says why"):
        bench.deploy()
    assert bench.is_as_before()
    assert {main for main, _, _ in bench.routed} == {OLD}
    assert not [call for call in bench.server.calls if "set-default" in call]


def test_a_version_that_fails_a_moment_later_is_rolled_back_too(bench: Bench) -> None:
    bench.limits = replace(bench.limits, watch_s=60.0)
    raised: list[BaseException] = []

    def deploy() -> None:
        try:
            bench.deploy()
        except DeployError as error:
            raised.append(error)

    changing = threading.Thread(target=deploy)
    changing.start()
    while (OLD, bench.path, 1.0) not in bench.routed:
        assert changing.is_alive()
    for _ in range(3):
        bench.versions.trials.failed(bench.path, "the test wants it so")
    changing.join()
    assert "aside" in str(raised[0])
    assert bench.is_as_before()


def test_a_canary_that_was_set_aside_is_told_and_is_not_promoted(bench: Bench) -> None:
    bench.refused.add(bench.path)
    bench.deploy(share=0.1)
    assert set_aside(bench.settings.home) == [bench.path]
    with pytest.raises(DeployError, match="aside"):
        bench.deployer().promote()
    assert bench.is_as_before()


def test_a_canary_that_was_set_aside_may_be_tried_again(bench: Bench) -> None:
    bench.refused.add(bench.path)
    bench.deploy(share=0.1)
    bench.refused.clear()
    bench.deployer().promote()
    assert bench.is_changed()


SEEN = {  # what the two files say: whether somebody is set aside
    "the same writing": ({"mark": "1"}, {"mark": "1", "busy": {}, "set_aside": ["a/2"]}, ["a/2"]),
    "an earlier writing": ({"mark": "2"}, {"mark": "1", "busy": {}, "set_aside": ["a/2"]}, []),
    "an older gateway": ({"mark": "1"}, {"mark": "1", "busy": {}}, []),
    "nothing was ever written": (None, {"busy": {}, "set_aside": ["a/2"]}, []),
    "no object": ({"mark": "1"}, [1], []),
}


@pytest.mark.parametrize(("told", "seen", "paths"), SEEN.values(), ids=SEEN)
def test_who_is_set_aside_is_read_of_the_gateways_file(
    tmp_path: Path, told: object, seen: object, paths: list[str]
) -> None:
    if told is not None:
        (tmp_path / TRAFFIC_FILE).write_text(json.dumps(told))
    (tmp_path / SEEN_FILE).write_text(json.dumps(seen))
    assert set_aside(tmp_path) == paths
