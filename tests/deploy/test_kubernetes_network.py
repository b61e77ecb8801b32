"""Who reaches whom in the cluster: Services, their ports, and the network policies."""

from __future__ import annotations

from itertools import product

import pytest

from gateway.settings import settings_from_environment
from tests.deploy.manifests import (
    EXPERT,
    GATEWAY,
    VARIANTS,
    ZERO_SHOT,
    named,
    of_kind,
    torchserves,
    workload,
    workloads,
)
from tests.deploy.policies import GRAPH_ROUTER, PROMETHEUS, may_enter, may_leave_for, policies_of

STRANGER = {"app": "something-else"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_service_means_pods_that_have_its_ports(variant: str) -> None:
    for service in of_kind(variant, "Service"):
        meant = [one for one in workloads(variant) if service["spec"]["selector"].items() <= one.labels.items()]
        assert len(meant) == 1, service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in meant[0].ports


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_gateway_asks_headless_services_of_each_model(variant: str) -> None:
    environment = workload(variant, GATEWAY).environment
    settings = settings_from_environment(environment)
    for url, component in ((settings.torchserve_url, EXPERT), (settings.zero_shot_url, ZERO_SHOT)):
        service = named(variant, "Service", f"fishgate-{component}")
        assert url == f"dns+http://fishgate-{component}:{service['spec']['ports'][0]['port']}"
        assert service["spec"]["clusterIP"] == "None"
        # With a headless Service the port of the pod is asked, whatever the Service says.
        assert workload(variant, component).ports["inference"] == service["spec"]["ports"][0]["port"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_service_becomes_a_setting_of_the_gateway(variant: str) -> None:
    """Kubernetes would tell ``FISHGATE_GATEWAY_PORT=tcp://…`` of a Service ``fishgate-gateway``."""
    assert workload(variant, GATEWAY).pod["enableServiceLinks"] is False
    names = [service["metadata"]["name"] for service in of_kind(variant, "Service")]
    assert not [name for name in names if name.startswith("fishgate-gateway")]


@pytest.mark.parametrize("variant", VARIANTS)
def test_policies_close_every_pod_in_both_directions(variant: str) -> None:
    closing = named(variant, "NetworkPolicy", "fishgate-nothing-else")["spec"]
    assert closing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for one in workloads(variant):
        own = [policy for policy in policies_of(variant, one.labels) if policy["podSelector"]]
        assert {kind for policy in own for kind in policy["policyTypes"]} == {"Ingress", "Egress"}, one.name


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_gateways_reach_torchserve_and_only_prometheus_its_metrics(variant: str) -> None:
    asking = {
        "gateway": (workload(variant, GATEWAY).labels, "fishgate"),
        "expert": (workload(variant, EXPERT).labels, "fishgate"),
        "zero-shot": (workload(variant, ZERO_SHOT).labels, "fishgate"),
        "router of a graph": (GRAPH_ROUTER, "fishgate"),
        "prometheus": (PROMETHEUS, "monitoring"),
        "a false prometheus": (PROMETHEUS, "somewhere"),
        "a client": (STRANGER, "clients"),
        "a stranger": (STRANGER, "fishgate"),
    }
    reached = {
        (name, port)
        for host, (name, (labels, namespace)), port in product(torchserves(variant), asking.items(), (8080, 8081, 8082))
        if may_enter(variant, host, labels, namespace, port)
    }
    graph = {("router of a graph", 8080)} if variant.startswith("kserve") else set()
    assert reached == {("gateway", 8080), ("prometheus", 8082)} | graph


@pytest.mark.parametrize("variant", VARIANTS)
def test_clients_and_prometheus_reach_the_gateway_and_nobody_else(variant: str) -> None:
    gateway = workload(variant, GATEWAY)
    reached = {
        (name, port)
        for name, (labels, namespace) in {
            "a client": (STRANGER, "clients"),
            "prometheus": (PROMETHEUS, "monitoring"),
            "a stranger": (STRANGER, "somewhere"),
            "torchserve": (workload(variant, EXPERT).labels, "fishgate"),
        }.items()
        for port in (8000, 7080)
        if may_enter(variant, gateway, labels, namespace, port)
    }
    assert reached == {("a client", 8000), ("a client", 7080), ("prometheus", 8000)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_may_be_entered_may_also_be_left_for(variant: str) -> None:
    """A connection needs both: the policy of who asks, and that of who is asked."""
    gateway = workload(variant, GATEWAY)
    for host in torchserves(variant):
        assert may_leave_for(variant, gateway.labels, host, 8080)
        assert not may_leave_for(variant, host.labels, gateway, 8000)
        allowed = [rule for policy in policies_of(variant, host.labels) for rule in policy.get("egress", [])]
        assert bool(allowed) == ("object-store" in variant)  # only to fetch the packs


@pytest.mark.parametrize("variant", VARIANTS)
def test_ports_in_policies_are_ports_of_pods(variant: str) -> None:
    known = {port for one in workloads(variant) for port in one.ports.values()}
    for policy in of_kind(variant, "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            assert {port["port"] for port in rule["ports"]} <= known, policy["metadata"]["name"]


def test_torchserve_listens_where_policies_guard_it() -> None:
    for one in torchserves("cpu"):
        assert one.command[one.command.index("--torchserve-listen") + 1] == "0.0.0.0"
        assert "--no-tokens" in one.command
