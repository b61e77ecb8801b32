"""What the pods are: how they are confined, what they run, and what they are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fishgate.model_card import CARD_FILE
from gateway.settings import Settings, settings_from_environment
from tests.conftest import ROOT
from tests.deploy.kustomizing import Object
from tests.deploy.manifests import (
    EXPERT,
    GATEWAY,
    VARIANTS,
    ZERO_SHOT,
    Workload,
    named,
    of_kind,
    torchserves,
    workload,
    workloads,
)

EVERY_POD = [(variant, one.name) for variant in VARIANTS for one in workloads(variant)]


def pod(variant: str, name: str) -> Workload:
    (found,) = [one for one in workloads(variant) if one.name == name]
    return found


@pytest.mark.parametrize(("variant", "name"), EVERY_POD)
def test_pods_are_confined_as_the_restricted_standard_wants(variant: str, name: str) -> None:
    one = pod(variant, name)
    context = one.pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == 10001
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert one.pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(one.pod)
    for container in one.containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])


@pytest.mark.parametrize(("variant", "name"), EVERY_POD)
def test_every_mount_has_its_volume_and_writing_goes_to_memory_of_the_pod(variant: str, name: str) -> None:
    one = pod(variant, name)
    volumes = {volume["name"]: volume for volume in one.pod["volumes"]}
    for container in one.containers:
        for mount in container["volumeMounts"]:
            assert mount["name"] in volumes
            is_own = "emptyDir" in volumes[mount["name"]]
            assert is_own or mount["readOnly"], f"{mount['mountPath']} could be written to"
    assert all("sizeLimit" in volume["emptyDir"] for volume in volumes.values() if "emptyDir" in volume)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_gateway_reads_these_settings(variant: str) -> None:
    settings = gateway_settings(variant)
    ports = workload(variant, GATEWAY).ports
    assert (settings.host, settings.port, settings.grpc_port) == ("0.0.0.0", ports["http"], ports["grpc"])
    assert settings.needs_keys
    assert settings.torchserve_key_file is None


@pytest.mark.parametrize("variant", VARIANTS)
def test_keys_are_a_secret_in_the_gateways_home(variant: str) -> None:
    one = workload(variant, GATEWAY)
    home = str(gateway_settings(variant).home)
    (mount,) = [mount for mount in one.container["volumeMounts"] if mount["mountPath"] == home]
    (volume,) = [volume for volume in one.pod["volumes"] if volume["name"] == mount["name"]]
    assert volume["secret"]["secretName"] == "fishgate-api-keys"
    assert "subPath" not in mount, "a key that is revoked would stay until the pod is replaced"
    assert not of_kind(variant, "Secret"), "no secret belongs into the repository"


@pytest.mark.parametrize("variant", VARIANTS)
def test_commands_are_those_that_are_there(variant: str) -> None:
    assert workload(variant, GATEWAY).command == ["python", "-m", "gateway"]
    for component, model in ((EXPERT, "expert"), (ZERO_SHOT, "zero_shot")):
        one = workload(variant, component)
        assert one.command[:2] == ["python", "scripts/serve"]
        assert {"--foreground", "--no-gateway"} <= set(one.command)
        assert argument(one, "--models") == model


@pytest.mark.parametrize("script", ["serve", "healthcheck"])
def test_scripts_know_the_options_that_they_are_given(script: str) -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / script, "--help"], capture_output=True, text=True)
    given = {
        word.split("=")[0]
        for variant in VARIANTS
        for one in torchserves(variant)
        for words in (one.command, one.container["startupProbe"]["exec"]["command"])
        if words[1] == f"scripts/{script}"
        for word in words
        if word.startswith("--")
    }
    assert given
    assert {option for option in given if option not in done.stdout} == set()


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_run_the_same_image_as_the_user_that_it_has(variant: str) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    images = {c["image"] for one in workloads(variant) for c in one.containers if c["name"] != "fetch-packs"}
    assert images == {"fishgate:0.1.0"}
    assert "USER 10001:10001" in dockerfile
    folders = {mount["mountPath"] for mount in workload(variant, EXPERT).container["volumeMounts"]} - {"/tmp"}
    base = next(line.split()[1] for line in dockerfile.splitlines()[::-1] if line.startswith("WORKDIR"))
    assert "VOLUME /var/lib/fishgate" in dockerfile
    assert all(folder == "/var/lib/fishgate" or folder.startswith(f"{base}/models/") for folder in folders)


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if "packs" in variant])
def test_the_hub_pack_lies_where_the_server_looks_for_it(variant: str) -> None:
    for one in torchserves(variant):
        assert argument(one, "--packs") == "hub"
        assert packs_of(one.container) == {"models/expert/hub": "expert", "models/zero_shot/hub": "zero_shot"}
    lists = next(c for c in workload(variant, GATEWAY).pod["initContainers"] if c["name"] == "species-lists")
    assert packs_of(lists) == {"models/zero_shot/hub": "zero_shot"}
    assert lists["args"][1] == "models/zero_shot/hub"


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if "packs-object-store" in variant])
def test_packs_are_fetched_before_they_are_needed(variant: str) -> None:
    for one in workloads(variant):
        first = one.pod["initContainers"][0]
        assert first["name"] == "fetch-packs"
        assert {"name": "packs", "mountPath": "/packs"} in first["volumeMounts"]
        assert [source["secretRef"]["name"] for source in first["envFrom"]] == ["fishgate-object-store"]
        assert first == workload("cpu+packs-object-store", GATEWAY).pod["initContainers"][0], "all fetch alike"
        assert one.labels["fishgate/packs"] == "object-store", "the policy that lets it out knows it by that"


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if "packs" in variant])
def test_all_pods_have_the_packs_from_the_same_place(variant: str) -> None:
    """With KServe as well: else the gateway would know the lists of one pack, and the workers another."""
    volumes = [volume for one in workloads(variant) for volume in one.pod["volumes"] if volume["name"] == "packs"]
    assert len(volumes) == len(workloads(variant)) == 3
    assert all(volume == volumes[0] for volume in volumes)
    hungry = workload(variant, ZERO_SHOT)
    assert hungry.container["resources"]["limits"]["memory"] == "8Gi"
    assert hungry.pod["volumes"][0]["emptyDir"]["sizeLimit"] == "12Gi"


def test_the_gateways_lists_are_laid_out_of_the_pack_that_is_served() -> None:
    one = workload("cpu", GATEWAY)
    (lists,) = one.pod["initContainers"]
    assert (ROOT / lists["args"][1] / CARD_FILE).is_file()
    assert Path(lists["args"][-1]) == gateway_settings("cpu").species_lists


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant.startswith("gpu")])
def test_each_host_has_a_gpu_of_its_own(variant: str) -> None:
    for one in torchserves(variant):
        assert "--device=gpu" in one.command
        assert one.container["resources"]["limits"]["nvidia.com/gpu"] == 1
        assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in one.pod["tolerations"]


def test_the_namespace_enforces_what_the_pods_promise() -> None:
    labels = named("cpu", "Namespace", "fishgate")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def packs_of(container: Object) -> dict[str, str]:
    """Where the volume of the packs lies in a container, below the program, with the folder of it that lies there."""
    mounts = [mount for mount in container["volumeMounts"] if mount["name"] == "packs"]
    return {mount["mountPath"].removeprefix("/opt/fishgate/"): mount["subPath"] for mount in mounts}


def argument(one: Workload, option: str) -> str:
    return one.command[one.command.index(option) + 1]


def gateway_settings(variant: str) -> Settings:
    return settings_from_environment(workload(variant, GATEWAY).environment)
