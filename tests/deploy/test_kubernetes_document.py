"""What docs/kubernetes.md tells to write and to run fits the manifests, and works as far as no cluster is needed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gateway.keys import KEY_FILE, read_keys
from gateway.settings import settings_from_environment
from tests.conftest import ROOT
from tests.deploy.kubernetes_schemas import KSERVE, NEWEST, OLDEST, OPERATOR
from tests.deploy.kustomizing import Object, build
from tests.deploy.manifests import GATEWAY, KUBERNETES, VARIANTS, WITH_ALL, named, of_kind, workload, workloads

DOCUMENT = (ROOT / "docs" / "kubernetes.md").read_text()
KUBECTL = shutil.which("kubectl")


def commands() -> list[str]:
    """The commands of the document, without their prompts and remarks."""
    blocks = re.findall(r"```console\n(.*?)```", DOCUMENT, re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+#.*", "", line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


SECRETS = [command for command in commands() if " create secret " in command]


def test_the_overlay_of_the_document_can_be_built(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(# kustomization.yaml.*?)```", DOCUMENT, re.S)
    (tmp_path / "fishgate").symlink_to(ROOT)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(block)
    built = build(tmp_path / "mine")
    images = {c["image"] for one in deployments(built) for c in one["spec"]["template"]["spec"]["containers"]}
    assert images == {"registry.example.org/fishgate:0.1.0"}
    assert all(
        "--packs" in json.dumps(one) for one in deployments(built) if one["metadata"]["name"] != "fishgate-gateway"
    )


def deployments(built: list[Object]) -> list[Object]:
    return [one for one in built if one["kind"] == "Deployment"]


def test_keys_are_made_as_the_document_says(tmp_path: Path) -> None:
    scripts = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'scripts'))}/"
    for command in commands():
        if command.startswith("scripts/keys"):
            line = command.replace("scripts/", scripts, 1)
            subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True, capture_output=True)
    metrics_key = (tmp_path / "keys" / "metrics_key").read_text()
    assert metrics_key.startswith("fg_")
    assert metrics_key == metrics_key.strip(), "Prometheus sends what the secret holds, to the last sign"
    assert [(key.name, key.rate_per_s) for key in read_keys(tmp_path / "keys" / KEY_FILE)] == [
        ("survey", 50.0),
        ("prometheus", None),
    ]


@pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl to make a secret with")
@pytest.mark.parametrize("command", SECRETS, ids=lambda command: command.split()[6])
def test_secrets_of_the_document_are_those_that_the_pods_want(command: str, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / KEY_FILE).write_text('{"keys": []}')
    (tmp_path / "keys" / "metrics_key").write_text("fg_x")
    words = [*shlex.split(command), "--dry-run=client", "-o", "yaml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = yaml.safe_load(done.stdout)
    assert made["metadata"]["namespace"] == "fishgate"
    assert made["metadata"]["name"] in wanted_secrets()
    if made["metadata"]["name"] == "fishgate-api-keys":
        assert set(made["data"]) == {KEY_FILE}
    elif made["metadata"]["name"] == metrics_credentials()["name"]:
        assert set(made["data"]) == {metrics_credentials()["key"]}
    else:
        fetching = workload("cpu+packs-object-store", GATEWAY).pod["initContainers"][0]
        assert re.findall(r"\$\((\w+)\)", " ".join(fetching["args"])) == ["PACKS_FOLDER"]
        remote = re.search(r"(\w+):\$", " ".join(fetching["args"]))
        assert remote
        assert {name.startswith(f"RCLONE_CONFIG_{remote[1].upper()}_") for name in made["data"]} == {True, False}
        assert "PACKS_FOLDER" in made["data"]


def test_every_secret_that_a_pod_wants_is_made_in_the_document() -> None:
    assert wanted_secrets() == {shlex.split(command)[6] for command in SECRETS}


def wanted_secrets() -> set[str]:
    text = json.dumps([one.pod for variant in VARIANTS for one in workloads(variant)])
    in_pods = re.findall(r'"secretName": "([^"]+)"', text) + re.findall(r'"secretRef": {"name": "([^"]+)"', text)
    return {*in_pods, metrics_credentials()["name"]}


def metrics_credentials() -> dict[str, str]:
    [endpoint] = named(WITH_ALL[0], "PodMonitor", "fishgate-gateway")["spec"]["podMetricsEndpoints"]
    return dict(endpoint["authorization"]["credentials"])


def test_figures_of_the_document_are_those_of_the_manifests() -> None:
    for component in ("expert", "zero-shot"):
        for variant, sign in (("cpu", "{}, {}"), ("gpu", "GPU: {}, {}")):
            for trigger in (0, 1):
                numbers = [threshold(variant, name, trigger) for name in ("expert", "zero-shot")]
                assert sign.format(*numbers) in DOCUMENT, (component, variant, trigger)
    assert f"| {threshold('cpu', 'gateway', 0)}: a gateway is one process |" in DOCUMENT
    assert f"| {threshold('cpu', 'gateway', 1)} of its 256 places |" in DOCUMENT
    (steps,) = (node["steps"] for node in named("kserve", "InferenceGraph", "fishgate-graph")["spec"]["nodes"].values())
    assert f"`{steps[1]['condition']}`" in DOCUMENT
    assert f"Kubernetes {OLDEST} and {NEWEST}" in DOCUMENT
    assert f"KServe {KSERVE[1].rpartition('.')[0]} " in DOCUMENT
    assert f"Prometheus Operator {OPERATOR[1].rsplit('.', 2)[0]};" in DOCUMENT


def test_the_document_tells_how_long_a_gateway_takes_to_end() -> None:
    one = workload("cpu", GATEWAY)
    settings = settings_from_environment(one.environment)
    assert f"For {one.container['lifecycle']['preStop']['sleep']['seconds']} s (`preStop`)" in DOCUMENT
    assert f"for {settings.lame_duck_s:.0f} s (`FISHGATE_GATEWAY_LAME_DUCK_S`)" in DOCUMENT
    assert f"({settings.drain_limit_s:.0f} s at most" in DOCUMENT
    assert f"The grace period, {one.pod['terminationGracePeriodSeconds']} s," in DOCUMENT


def threshold(variant: str, component: str, trigger: int) -> str:
    scaled = named(variant, "ScaledObject", f"fishgate-{component}")
    return str(scaled["spec"]["triggers"][trigger]["metadata"]["threshold"])


def test_folders_of_the_document_are_there() -> None:
    for name in re.findall(r"`((?:base|overlays|components)(?:/[\w-]+)?)`", DOCUMENT):
        assert (KUBERNETES / name / "kustomization.yaml").is_file(), name
    told = {path.parent.relative_to(KUBERNETES).as_posix() for path in KUBERNETES.rglob("kustomization.yaml")}
    assert [name for name in told if name not in DOCUMENT] == ["components/packs-hub"]
    assert of_kind("cpu", "Namespace")
