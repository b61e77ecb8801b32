"""Who may open a connection to whom, by the network policies of a variant.

Owns their reading, as far as the manifests use them: labels of pods and namespaces, blocks of addresses, ports.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.deploy.kustomizing import Object
from tests.deploy.manifests import Workload, of_kind, selects

GRAPH_ROUTER = {"serving.kserve.io/inferencegraph": "fishgate-graph"}
PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}


def policies_of(variant: str, labels: dict[str, str]) -> list[Object]:
    """The policies that hold for pods with these labels."""
    every = [policy["spec"] for policy in of_kind(variant, "NetworkPolicy")]
    return [policy for policy in every if selects(policy["podSelector"], labels)]


def may_enter(variant: str, asked: Workload, labels: dict[str, str], namespace: str, port: int) -> bool:
    """Whether a pod of a namespace may open a connection to a port of another, as far as that one's policies go."""
    return any(
        is_peer(peer, labels, namespace)
        for policy in policies_of(variant, asked.labels)
        for rule in policy.get("ingress", [])
        if port in ports_of(rule)
        for peer in rule["from"]
    )


def may_leave_for(variant: str, labels: dict[str, str], asked: Workload, port: int) -> bool:
    """Whether the policies of who asks let it out to a port of another pod of the namespace."""
    return any(
        "ipBlock" not in peer and is_peer(peer, asked.labels, "fishgate")
        for policy in policies_of(variant, labels)
        for rule in policy.get("egress", [])
        if port in ports_of(rule)
        for peer in rule["to"]
    )


def is_peer(peer: Object, labels: dict[str, str], namespace: str) -> bool:
    bears = {"kubernetes.io/metadata.name": namespace}
    if namespace == "clients":
        bears["fishgate/clients"] = "true"
    is_there = selects(peer["namespaceSelector"], bears) if "namespaceSelector" in peer else namespace == "fishgate"
    return is_there and selects(peer.get("podSelector", {}), labels)


def ports_of(rule: Object) -> Iterator[int]:
    yield from (port["port"] for port in rule["ports"])


def leaving(variant: str, labels: dict[str, str]) -> Iterator[tuple[Object, Object]]:
    """All that pods with these labels may open connections to: who, and which port."""
    for policy in policies_of(variant, labels):
        for rule in policy.get("egress", []):
            for peer in rule["to"]:
                yield from ((peer, port) for port in rule["ports"])
