"""Scaling: who is scaled, between which numbers, how fast, and that without figures nothing changes."""

from __future__ import annotations

import pytest

from gateway.identifier import EXPERT_LIMITS, ZERO_SHOT_LIMITS
from gateway.settings import Settings
from tests.deploy.kustomizing import Object
from tests.deploy.manifests import EXPERT, GATEWAY, VARIANTS, ZERO_SHOT, named, of_kind, workload, workloads


def scaled(variant: str, component: str) -> Object:
    return named(variant, "ScaledObject", f"fishgate-{component}")


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_figures_are_an_error_and_not_a_nought(variant: str) -> None:
    triggers = [one for scaler in of_kind(variant, "ScaledObject") for one in scaler["spec"]["triggers"]]
    assert {one["metadata"].get("ignoreNullValues") for one in triggers} == {"false"}
    assert not [one for one in triggers if "vector(" in one["metadata"]["query"]]
    assert not [scaler for scaler in of_kind(variant, "ScaledObject") if "fallback" in scaler["spec"]]


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
    for component in waiting:
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
