"""How pods are begun, asked after, kept apart, replaced and ended."""

from __future__ import annotations

import pytest

from gateway.settings import Settings, settings_from_environment
from tests.conftest import ROOT
from tests.deploy.manifests import (
    GATEWAY,
    VARIANTS,
    Workload,
    of_kind,
    selects,
    torchserves,
    workload,
    workloads,
)

STOP_S = 40
"""How long scripts/serve gives TorchServe to end, and then its killing."""

LEAVING_S = 15
"""For so long proxies and load balancers may go on opening connections to a pod that has left its Service."""

TIME_TO_LIVE_S = 30
"""For so long a cluster's name server may give an answer that is no longer true."""

EVERY_POD = [(variant, one.name) for variant in VARIANTS for one in workloads(variant)]


def pod(variant: str, name: str) -> Workload:
    (found,) = [one for one in workloads(variant) if one.name == name]
    return found


@pytest.mark.parametrize(("variant", "name"), EVERY_POD)
def test_an_update_takes_no_pod_away_before_another_is_ready(variant: str, name: str) -> None:
    assert pod(variant, name).strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize("variant", VARIANTS)
def test_hosts_are_known_before_others_go(variant: str) -> None:
    resolve_s = gateway_settings(variant).torchserve_resolve_s
    for deployment in of_kind(variant, "Deployment"):
        if deployment["metadata"]["name"] != "fishgate-gateway":
            assert deployment["spec"]["minReadySeconds"] >= 2 * resolve_s


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_gateway_is_given_time_to_finish(variant: str) -> None:
    one, settings = workload(variant, GATEWAY), gateway_settings(variant)
    assert one.pod["terminationGracePeriodSeconds"] > stop_s(one) + settings.lame_duck_s + settings.drain_limit_s
    assert settings.drain_limit_s > settings.deadline_s


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_gateway_still_serves_whoever_does_not_know_yet_and_tells_kept_alive_connections(variant: str) -> None:
    one, settings = workload(variant, GATEWAY), gateway_settings(variant)
    assert 5 <= settings.lame_duck_s <= 10
    assert stop_s(one) + settings.lame_duck_s >= LEAVING_S
    assert Settings().lame_duck_s == 0, "elsewhere nobody would be waited for"


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_host_goes_on_until_nobody_asks_it(variant: str) -> None:
    """From its name's leaving the Service to the last gateway's knowing, and then a request's deadline long."""
    settings = gateway_settings(variant)
    for one in torchserves(variant):
        assert stop_s(one) >= settings.torchserve_resolve_s + settings.deadline_s + 5
        assert stop_s(one) >= TIME_TO_LIVE_S + settings.zero_shot_limit_s
        assert one.pod["terminationGracePeriodSeconds"] >= stop_s(one) + STOP_S


@pytest.mark.parametrize(("variant", "name"), EVERY_POD)
def test_probes_ask_what_is_there(variant: str, name: str) -> None:
    one = pod(variant, name)
    paths = {"/livez", "/readyz"} if one.component == GATEWAY else {"/ping"}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        told = one.container[probe]
        assert one.ports[told["httpGet"]["port"]] and told["httpGet"]["path"] in paths if "httpGet" in told else True
    assert "exec" not in one.container["readinessProbe"], "under load it would take away whole hosts"


def test_the_gateways_probes_are_its_own_addresses() -> None:
    routes = (ROOT / "gateway" / "app.py").read_text()
    container = workload("cpu", GATEWAY).container
    asked = {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert asked == {"/livez", "/readyz"}
    assert all(f'"{path}"' in routes for path in asked)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_slow_start_is_waited_for(variant: str) -> None:
    for one in torchserves(variant):
        probe = one.container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 600  # as long as scripts/serve itself waits
        assert probe["exec"]["command"][:2] == ["python", "scripts/healthcheck"]
        assert probe["exec"]["command"][-1] == argument(one, "--models")


@pytest.mark.parametrize(("variant", "name"), EVERY_POD)
def test_pods_keep_away_from_each_other(variant: str, name: str) -> None:
    one = pod(variant, name)
    (zones,) = one.pod["topologySpreadConstraints"]
    (apart,) = one.pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert zones["topologyKey"] == "topology.kubernetes.io/zone"
    assert apart["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    for selector in (zones["labelSelector"], apart["podAffinityTerm"]["labelSelector"]):
        assert [other.name for other in workloads(variant) if selects(selector, other.labels)] == [name]


@pytest.mark.parametrize(("variant", "name"), EVERY_POD)
def test_each_kind_of_pod_has_one_budget_that_blocks_no_drain(variant: str, name: str) -> None:
    one = pod(variant, name)
    budgets = of_kind(variant, "PodDisruptionBudget")
    (budget,) = [budget for budget in budgets if selects(budget["spec"]["selector"], one.labels)]
    (scaled,) = [s for s in of_kind(variant, "ScaledObject") if s["spec"]["scaleTargetRef"]["name"] == name]
    assert budget["spec"]["maxUnavailable"] < scaled["spec"]["minReplicaCount"]


def argument(one: Workload, option: str) -> str:
    return one.command[one.command.index(option) + 1]


def stop_s(one: Workload) -> int:
    """How long a pod goes on once it is told to end, before the program is told."""
    return int(one.container["lifecycle"]["preStop"]["sleep"]["seconds"])


def gateway_settings(variant: str) -> Settings:
    return settings_from_environment(workload(variant, GATEWAY).environment)
