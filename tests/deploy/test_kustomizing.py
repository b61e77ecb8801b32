"""The tests' own kustomize does what the real one does, and refuses what it does not know."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.kustomizing import KustomizeError, Object, build
from tests.deploy.manifests import KUBERNETES, VARIANTS, objects

KUBECTL = shutil.which("kubectl")

POD = "{apiVersion: v1, kind: Pod, metadata: {name: a~b}, spec: {containers: [{name: c, image: fish}]}}"


def by_name(objects: list[Object]) -> list[Object]:
    return sorted(objects, key=lambda one: (one["kind"], one["metadata"]["name"]))


@pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl to hold it against")
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_builds_what_kubectl_builds(variant: str, tmp_path: Path) -> None:
    overlay, *components = variant.split("+")
    folders = {
        "resources": [relative(KUBERNETES / "overlays" / overlay, tmp_path)],
        "components": [relative(KUBERNETES / "components" / one, tmp_path) for one in components],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(folders))
    done = subprocess.run([str(KUBECTL), "kustomize", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert by_name([*objects(variant)]) == by_name([*yaml.safe_load_all(done.stdout)])


def relative(path: Path, base: Path) -> str:
    return os.path.relpath(path.resolve(), base.resolve())


@pytest.mark.parametrize(
    ("kustomization", "message"),
    [
        ("resources: [pod.yaml]\nnamePrefix: x-", "not understood here: .'namePrefix'"),
        ("resources: [pod.yaml]\npatches: [{patch: '{kind: Pod, metadata: {name: x}}'}]", "a list of JSON patches"),
        ("resources: [pod.yaml]\npatches: [{target: {kind: Job}, patch: '[]'}]", "meets nothing"),
        (
            "resources: [pod.yaml]\npatches: [{target: {kind: Deployment}, patch: '[]'}, "
            "{target: {kind: InferenceService}, patch: '[]'}]",
            "meets nothing",
        ),
        (
            "resources: [pod.yaml]\npatches: [{target: {kind: Pod}, patch: '[{op: remove, path: /spec/volumes}]'}]",
            "no /spec/volumes to remove",
        ),
    ],
)
def test_it_refuses_what_it_does_not_know(kustomization: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    (tmp_path / "kustomization.yaml").write_text(kustomization)
    with pytest.raises(KustomizeError, match=message):
        build(tmp_path)


def test_a_patch_changes_only_its_targets(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text(f"{POD}\n---\n{POD.replace('a~b', 'other')}")
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [pods.yaml]\nnamespace: n\nimages: [{name: fish, newName: r/fish, newTag: '1'}]\n"
        "patches: [{target: {name: a.b}, patch: '[{op: add, path: /spec/containers/0/args, value: [x]}]'}]"
    )
    containers = {one["metadata"]["name"]: one["spec"]["containers"] for one in build(tmp_path)}
    assert containers == {
        "a~b": [{"name": "c", "image": "r/fish:1", "args": ["x"]}],
        "other": [{"name": "c", "image": "r/fish:1"}],
    }
