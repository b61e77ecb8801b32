"""The manifests of ``deploy/kubernetes`` as the tests look at them.

Owns which variants there are, and how pods are found in Deployments and InferenceServices alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.deploy.kustomizing import Object, build

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("cpu", "gpu", "kserve")
PACKS = ("packs-volume", "packs-object-store")
ELSE = ("prometheus-operator", "dns-elsewhere", "traces")
WITH_PACKS = tuple(f"{overlay}+{packs}" for overlay in OVERLAYS for packs in PACKS)
WITH_ALL = tuple("+".join([overlay, "packs-object-store", *ELSE]) for overlay in ("cpu", "kserve"))
VARIANTS = (*OVERLAYS, *WITH_PACKS, *WITH_ALL)
"""Each overlay, each with the hub pack from where it may come, and some with everything that may be added."""

GATEWAY, EXPERT, ZERO_SHOT = "gateway", "expert", "zero-shot"


@dataclass(frozen=True)
class Workload:
    """Pods that are made alike: ``name`` of what makes them, their labels, and their specification."""

    name: str
    labels: dict[str, str]
    pod: Object
    strategy: Object

    @property
    def component(self) -> str:
        """Which part of Fishgate it is."""
        return self.labels["app.kubernetes.io/component"]

    @property
    def container(self) -> Object:
        """The one container that goes on running."""
        (only,) = self.pod["containers"]
        return dict(only)

    @property
    def containers(self) -> list[Object]:
        """All containers, those that run before it included."""
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that are set for the container."""
        return {one["name"]: one["value"] for one in self.container.get("env", [])}

    @property
    def command(self) -> list[str]:
        """The command with its arguments."""
        return [*self.container["command"], *self.container.get("args", [])]

    @property
    def ports(self) -> dict[str, int]:
        """The ports by their names."""
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}


@cache
def objects(variant: str) -> tuple[Object, ...]:
    """Return all objects of a variant: of an overlay, and of the components that are joined to it by ``+``."""
    overlay, *components = variant.split("+")
    return tuple(
        build(KUBERNETES / "overlays" / overlay, components=[KUBERNETES / "components" / c for c in components])
    )


def of_kind(variant: str, kind: str) -> list[Object]:
    """Return the objects of one kind."""
    return [one for one in objects(variant) if one["kind"] == kind]


def named(variant: str, kind: str, name: str) -> Object:
    """Return one object."""
    (found,) = [one for one in of_kind(variant, kind) if one["metadata"]["name"] == name]
    return found


def workloads(variant: str) -> list[Workload]:
    """Return all that makes pods, except for the router that KServe makes of a graph."""
    return [
        *map(_of_deployment, of_kind(variant, "Deployment")),
        *map(_of_service, of_kind(variant, "InferenceService")),
    ]


def workload(variant: str, component: str) -> Workload:
    """Return the gateway, the expert's hosts or those of zero-shot."""
    (found,) = [one for one in workloads(variant) if one.component == component]
    return found


def torchserves(variant: str) -> list[Workload]:
    """Return the hosts of both models."""
    return [workload(variant, EXPERT), workload(variant, ZERO_SHOT)]


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Tell whether a selector of labels means pods with these labels."""
    assert set(selector) <= {"matchLabels"}, f"the tests read no {sorted(selector)}"
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def documents(path: Path) -> Iterator[Any]:
    """Return the documents of a YAML file."""
    yield from yaml.safe_load_all(path.read_text())


def _of_deployment(one: Object) -> Workload:
    template = one["spec"]["template"]
    return Workload(one["metadata"]["name"], template["metadata"]["labels"], template["spec"], one["spec"]["strategy"])


def _of_service(one: Object) -> Workload:
    predictor = one["spec"]["predictor"]
    name = f"{one['metadata']['name']}-predictor"
    return Workload(name, predictor["labels"], predictor, predictor["deploymentStrategy"])
