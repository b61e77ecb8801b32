"""Scaling: by series that the gateway has, by rates and never by sums over all time, and each model by its own."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gateway.identifier import EXPERT_LIMITS, ZERO_SHOT_LIMITS
from gateway.observing import Stage
from gateway.running import Gateway
from gateway.settings import Settings
from tests.deploy.kustomizing import Object
from tests.deploy.manifests import EXPERT, GATEWAY, VARIANTS, ZERO_SHOT, named, of_kind, workload, workloads
from tests.deploy.prometheus_parts import tools
from tests.gateway.fake_engine import FakeEngine

MODEL_OF = {EXPERT: "expert", ZERO_SHOT: "zero_shot"}
SERIES = re.compile(r"\b((?:fishgate|process)_[a-z_]+)")
ONLY_GROW = ("_total", "_sum", "_count", "_bucket")
RATE = re.compile(r"\b(?:rate|increase)\((\w+)(?:\{[^}]*\})?\[\d+m\]\)")
CALM = re.compile(r"\bavg_over_time\((\w+)(?:\{[^}]*\})?\[\d+m\]\)")


class StillEngine(FakeEngine):
    """An engine that needs no beginning and no end."""

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """All series of a gateway that has just begun, and has told of each stage once."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), port=0, grpc_port=0, access_log="")

    async def shown() -> str:
        gateway = Gateway(settings, most_connections=10, engine=StillEngine())
        await gateway.start()
        for stage in Stage:
            gateway.metrics.stage(stage.value, 0.1)
        gateway.metrics.waiting("expert", 0)
        text = gateway.metrics.text().decode()
        await gateway.stop()
        return text

    return {sample.name for family in text_string_to_metric_families(asyncio.run(shown())) for sample in family.samples}


def scaled(variant: str, component: str) -> Object:
    return named(variant, "ScaledObject", f"fishgate-{component}")


def queries(component: str, variant: str = "cpu") -> dict[str, str]:
    return {one["name"]: one["metadata"]["query"] for one in scaled(variant, component)["spec"]["triggers"]}


EVERY_QUERY = [
    pytest.param(query, id=f"{component}-{name}")
    for component in (GATEWAY, EXPERT, ZERO_SHOT)
    for name, query in queries(component).items()
]


@pytest.mark.parametrize("query", EVERY_QUERY)
def test_queries_ask_for_series_that_exist(query: str, series: set[str]) -> None:
    assert set(SERIES.findall(query)) <= series
    assert SERIES.findall(query)


@pytest.mark.parametrize("query", EVERY_QUERY)
def test_what_only_grows_is_asked_for_as_a_rate(query: str) -> None:
    growing = [name for name in SERIES.findall(query) if name.endswith(ONLY_GROW)]
    assert RATE.findall(query) == growing
    assert CALM.findall(query) == [name for name in SERIES.findall(query) if not name.endswith(ONLY_GROW)]


@pytest.mark.parametrize("component", MODEL_OF)
def test_each_model_is_scaled_by_its_own_series(component: str) -> None:
    model = MODEL_OF[component]
    other = ({*MODEL_OF.values()} - {model}).pop()
    for query in queries(component).values():
        named_ones = set(re.findall(r"(?:expert|zero_shot)(?:_queue)?", query))
        assert named_ones <= {stage.value for stage in Stage}
        assert named_ones & {model, f"{model}_queue"}
        assert not {name for name in named_ones if name.startswith(other)}


def test_prometheus_understands_the_queries(tmp_path: Path) -> None:
    rules = [
        {"record": f"fishgate:scaling_{number}", "expr": query.values[0]} for number, query in enumerate(EVERY_QUERY)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "scaling", "rules": rules}]}))
    done = subprocess.run([tools().promtool, "check", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_workload_is_scaled_by_one_and_by_nothing_else(variant: str) -> None:
    targets = [one["spec"]["scaleTargetRef"] for one in of_kind(variant, "ScaledObject")]
    assert sorted(target["name"] for target in targets) == sorted(one.name for one in workloads(variant))
    assert {(target["apiVersion"], target["kind"]) for target in targets} == {("apps/v1", "Deployment")}
    assert [one for one in of_kind(variant, "Deployment") if "replicas" in one["spec"]] == []
    assert of_kind(variant, "HorizontalPodAutoscaler") == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_there_are_always_two_and_never_without_end(variant: str) -> None:
    for one in of_kind(variant, "ScaledObject"):
        assert 2 <= one["spec"]["minReplicaCount"] < one["spec"]["maxReplicaCount"] <= 20


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_host_that_has_just_come_is_not_taken_away_at_once(variant: str) -> None:
    for component in (GATEWAY, EXPERT, ZERO_SHOT):
        behaviour = scaled(variant, component)["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        down = behaviour["scaleDown"]
        assert down["stabilizationWindowSeconds"] >= 300
        assert [policy["type"] for policy in down["policies"]] == ["Pods"]
        assert behaviour["scaleUp"]["stabilizationWindowSeconds"] < down["stabilizationWindowSeconds"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_scaling_begins_before_the_gateways_turn_pictures_away(variant: str) -> None:
    """The thresholds are per pod; a single gateway must hold as many as start the growing of its fewest hosts."""
    waiting = {EXPERT: EXPERT_LIMITS.waiting, ZERO_SHOT: ZERO_SHOT_LIMITS.waiting}
    for component in MODEL_OF:
        spec = scaled(variant, component)["spec"]
        thresholds = {one["name"]: float(one["metadata"]["threshold"]) for one in spec["triggers"]}
        assert thresholds["queue"] * spec["minReplicaCount"] < waiting[component]
    places = Settings().pictures_at_once
    assert float(scaled(variant, GATEWAY)["spec"]["triggers"][1]["metadata"]["threshold"]) < places


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_shares_of_a_whole_are_averages_and_a_time_is_a_value(variant: str) -> None:
    kinds = {
        (one["name"], one["metricType"])
        for scaler in of_kind(variant, "ScaledObject")
        for one in scaler["spec"]["triggers"]
    }
    averages = {(name, "AverageValue") for name in ("cores", "pictures", "queue")}
    assert kinds == averages | {("waiting", "Value")}


def test_a_gateway_is_full_before_its_core_is() -> None:
    assert workload("cpu", GATEWAY).container["resources"]["requests"]["cpu"] == "1"
    assert 0 < float(scaled("cpu", GATEWAY)["spec"]["triggers"][0]["metadata"]["threshold"]) < 1
