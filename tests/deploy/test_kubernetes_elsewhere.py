"""Whom pods ask outside of their namespace: name servers, of whatever kind they are, and a collector of traces."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from gateway.settings import settings_from_environment
from tests.deploy.kustomizing import Object
from tests.deploy.manifests import GATEWAY, KUBERNETES, VARIANTS, objects, torchserves, workload
from tests.deploy.policies import GRAPH_ROUTER, leaving


class Server(NamedTuple):
    """Where somebody is asked: a namespace or a block of addresses, the pods' only label, and the port."""

    place: str
    label: str
    port: int


USUAL = Server("kube-system", "k8s-app=kube-dns", 53)
NODE_LOCAL = Server("169.254.20.10/32", "", 53)
OPENSHIFT = Server("openshift-dns", "dns.operator.openshift.io/daemonset-dns=default", 5353)
COLLECTOR = Server("monitoring", "app.kubernetes.io/name=opentelemetry-collector", 4318)
STORE = Server("0.0.0.0/0", "", 443)


def server(peer: Object, port: int) -> Server | None:
    """Who is meant by a peer of a rule; None for pods of the namespace itself."""
    if "ipBlock" in peer:
        return Server(peer["ipBlock"]["cidr"], "", port)
    if "namespaceSelector" not in peer:
        return None
    [[name, value]] = peer["podSelector"]["matchLabels"].items()
    return Server(peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], f"{name}={value}", port)


def asked(variant: str, labels: dict[str, str], protocol: str) -> set[Server]:
    """Whom pods with these labels may ask outside of the namespace, over a protocol."""
    peers = [(peer, one["port"]) for peer, one in leaving(variant, labels) if one.get("protocol", "TCP") == protocol]
    return {found for peer, port in peers if (found := server(peer, port))}


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
@pytest.mark.parametrize(
    ("added", "servers"), [("", {USUAL}), ("+dns-elsewhere", {USUAL, NODE_LOCAL, OPENSHIFT})], ids=["plain", "added"]
)
def test_who_needs_names_may_ask_for_them_and_torchserve_may_not(
    added: str, servers: set[Server], protocol: str
) -> None:
    variant = f"kserve{added}"
    assert asked(variant, workload(variant, GATEWAY).labels, protocol) == servers
    assert asked(variant, GRAPH_ROUTER, protocol) == servers
    assert [asked(variant, one.labels, protocol) for one in torchserves(variant)] == [set(), set()]


@pytest.mark.parametrize("overlay", ["cpu", "kserve"])
def test_pods_that_fetch_packs_find_the_store_with_any_name_server(overlay: str) -> None:
    variant = f"{overlay}+packs-object-store+dns-elsewhere"
    for one in torchserves(variant):
        assert asked(variant, one.labels, "UDP") == {USUAL, NODE_LOCAL, OPENSHIFT}
        assert asked(variant, one.labels, "TCP") == {USUAL, NODE_LOCAL, OPENSHIFT, STORE}


@pytest.mark.parametrize("overlay", ["cpu", "kserve"])
def test_traces_go_where_the_policy_lets_them(overlay: str) -> None:
    plain, traced = workload(overlay, GATEWAY), workload(f"{overlay}+traces", GATEWAY)
    assert settings_from_environment(plain.environment).traces_endpoint is None
    url = urlsplit(settings_from_environment(traced.environment).traces_endpoint or "")
    assert str(url.hostname).split(".") == [COLLECTOR.label.partition("=")[2], COLLECTOR.place, "svc"]
    assert url.port == COLLECTOR.port
    before, after = (asked(variant, plain.labels, "TCP") for variant in (overlay, f"{overlay}+traces"))
    assert after - before == {COLLECTOR}


@pytest.mark.parametrize("variant", VARIANTS)
def test_everything_lies_in_the_namespace_whichever_component_brings_it(variant: str) -> None:
    others = [one["kind"] for one in objects(variant) if one["metadata"].get("namespace") != "fishgate"]
    assert others == ["Namespace"]


def test_every_component_is_in_some_variant() -> None:
    there = {path.parent.name for path in (KUBERNETES / "components").glob("*/kustomization.yaml")}
    assert there - {"keda", "packs-hub"} == {part for variant in VARIANTS for part in variant.split("+")[1:]}
