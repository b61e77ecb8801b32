"""The manifests hold to the schemas of Kubernetes, and of what extends it; and these would tell if they did not."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from tests.deploy.fetched_packages import fetch
from tests.deploy.kubernetes_schemas import (
    KSERVE,
    NEWEST,
    OLDEST,
    OPERATOR,
    keda_errors,
    kserve_errors,
    kubernetes_errors,
    operator_errors,
    operator_schemas,
)
from tests.deploy.kustomizing import Object
from tests.deploy.manifests import VARIANTS, WITH_ALL, named, objects, of_kind

FOREIGN = ("keda.sh/", "serving.kserve.io/", "monitoring.coreos.com/")


@pytest.fixture(scope="module")
def kserve() -> Path:
    """KServe's package."""
    return fetch(*KSERVE)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Object:
    """The schemas of the Prometheus Operator."""
    return operator_schemas(fetch(*OPERATOR), tmp_path_factory.mktemp("operator"))


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("variant", VARIANTS)
def test_kubernetes_own_objects_fit_its_schemas(variant: str, version: str) -> None:
    own = [one for one in objects(variant) if not one["apiVersion"].startswith(FOREIGN)]
    assert {one["kind"] for one in own} >= {"Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget"}
    assert {name(one): kubernetes_errors(one, version) for one in own if kubernetes_errors(one, version)} == {}


@pytest.mark.parametrize("variant", VARIANTS)
def test_scaled_objects_fit_kedas_schema(variant: str) -> None:
    scaled = of_kind(variant, "ScaledObject")
    assert len(scaled) == 3
    assert {name(one): keda_errors(one) for one in scaled if keda_errors(one)} == {}


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant.startswith("kserve")])
def test_kserves_objects_fit_its_schema(variant: str, kserve: Path) -> None:
    given = [one for one in objects(variant) if one["apiVersion"].startswith("serving.kserve.io/")]
    assert sorted(one["kind"] for one in given) == ["InferenceGraph", "InferenceService", "InferenceService"]
    assert {name(one): kserve_errors(one, kserve) for one in given if kserve_errors(one, kserve)} == {}


@pytest.mark.parametrize("variant", WITH_ALL)
def test_what_the_prometheus_operator_gets_fits_its_schema(variant: str, operator: Object) -> None:
    given = [one for one in objects(variant) if one["apiVersion"].startswith("monitoring.coreos.com/")]
    assert sorted(one["kind"] for one in given) == ["PodMonitor", "PodMonitor", "PrometheusRule"]
    assert {name(one): operator_errors(one, operator) for one in given if operator_errors(one, operator)} == {}


def test_every_object_has_a_schema_that_was_asked() -> None:
    groups = {one["apiVersion"] for variant in VARIANTS for one in objects(variant)}
    assert groups == {
        "v1",
        "apps/v1",
        "networking.k8s.io/v1",
        "policy/v1",
        "keda.sh/v1alpha1",
        "serving.kserve.io/v1alpha1",
        "serving.kserve.io/v1beta1",
        "monitoring.coreos.com/v1",
    }


def test_the_schemas_find_a_misspelt_field(kserve: Path, operator: Object) -> None:
    deployment = copy.deepcopy(named("cpu", "Deployment", "fishgate-gateway"))
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 5
    assert "terminationGracePeriod" in kubernetes_errors(deployment, NEWEST)[0]

    scaled = copy.deepcopy(named("cpu", "ScaledObject", "fishgate-expert"))
    scaled["spec"]["maxReplicas"] = 5
    assert "maxReplicas" in keda_errors(scaled)[0]

    service = copy.deepcopy(named("kserve", "InferenceService", "fishgate-model-expert"))
    service["spec"]["predictor"]["containers"][0]["startProbe"] = {}
    assert "startProbe" in kserve_errors(service, kserve)[0]

    graph = copy.deepcopy(named("kserve", "InferenceGraph", "fishgate-graph"))
    graph["spec"]["nodes"]["root"]["steps"][1]["when"] = "never"
    assert "when" in kserve_errors(graph, kserve)[0]

    monitor = copy.deepcopy(named(WITH_ALL[0], "PodMonitor", "fishgate-gateway"))
    monitor["spec"]["podMetricsEndpoints"][0]["authorisation"] = {}
    assert "authorisation" in operator_errors(monitor, operator)[0]


def name(one: Object) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"
