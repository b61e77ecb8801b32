"""The schemas of Kubernetes, KEDA, KServe and the Prometheus Operator, from packages that carry them.

Owns where each comes from. Kubernetes' and KEDA's are development requirements. KServe's package would bring half
a machine-learning platform along, so only the package itself is fetched, pinned, and read without being imported. The
operator's is fetched in the same way; it is of KEDA's kind and large, so another process imports it.
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
from cloudcoil.models.keda.v1alpha1 import ScaledObject

from tests.deploy.kustomizing import Object

KSERVE = ("kserve", "0.21.0", "df9bc5888704d9085015e08f1a8fced5ff0698f3becc6212d4e7b8234c71623b")
OPERATOR = (
    "cloudcoil-models-prometheus-operator",
    "0.80.1.0",
    "a139a60cc0114caace847a34275d7a7cd899ec2dad4120504d8e1cf6a8de0270",
)
OLDEST, NEWEST = "1.30", "1.37"
"""The versions of Kubernetes that docs/kubernetes.md promises, as far as there are schemas."""

_TELL = """
import json
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule
print(json.dumps({one.__name__: one.model_json_schema(by_alias=True) for one in (PodMonitor, PrometheusRule)}))
"""
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


def operator_errors(one: Object, schemas: Object) -> list[str]:
    """Return what the Prometheus Operator's schema finds wrong with a PodMonitor or a PrometheusRule."""
    assert one["apiVersion"] == "monitoring.coreos.com/v1"
    return _errors(one, schemas[one["kind"]])


def operator_schemas(wheel: Path, folder: Path) -> Object:
    """Return the operator's schemas by kind; ``folder`` is where the package is unpacked to be imported."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", _TELL], env=environment, capture_output=True, text=True, check=True)
    return dict(_closed(json.loads(done.stdout)))


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
