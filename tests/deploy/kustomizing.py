"""Builds the kustomizations of ``deploy/kubernetes`` where there is no kustomize.

Owns the few features that they keep to: resources, components, patches (JSON patches with a target, and
``$patch: delete``), namespace and images. Anything else is refused, so that nothing is silently left out. Where
``kubectl`` is there, a test holds the result against its own.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

_KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "images", "patches"}
_WITHOUT_NAMESPACE = {"Namespace"}
_EITHER = {"Deployment", "InferenceService"}
"""What runs a model, with KServe or without: a component has patches for both, of which one meets nothing."""


class KustomizeError(Exception):
    """A kustomization cannot be built; the message says which and why."""


def build(folder: Path, *, components: Sequence[Path] = ()) -> list[Object]:
    """Return the objects of a kustomization, and of one that adds components to it; raise KustomizeError."""
    objects = _accumulate(folder.resolve(), [])
    for component in components:
        objects = _accumulate(component.resolve(), objects)
    return objects


def _accumulate(folder: Path, before: list[Object]) -> list[Object]:
    """Return ``before`` and the objects of this kustomization, changed as it says: a component changes both."""
    told = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if unknown := set(told) - _KNOWN:
        raise KustomizeError(f"{folder.name}: not understood here: {sorted(unknown)}; allowed: {sorted(_KNOWN)}")
    objects = [*before]
    for name in told.get("resources", []):
        path = folder / name
        objects += _accumulate(path.resolve(), []) if path.is_dir() else _documents(path.read_text())
    for name in told.get("components", []):
        objects = _accumulate((folder / name).resolve(), objects)
    patches = told.get("patches", [])
    for patch in patches:
        _refuse_to_meet_nothing(objects, patch, patches, folder)
        objects = _patched(objects, patch, folder)
    for one in objects:
        _set_namespace(one, told.get("namespace"))
        _set_images(one, told.get("images", []))
    return objects


def _documents(text: str) -> list[Object]:
    # Anchors would else be the same object in several places, and a patch would change them all.
    return [copy.deepcopy(_unshared(one)) for one in yaml.safe_load_all(text) if one]


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unshared(member) for name, member in value.items()}
    return [_unshared(member) for member in value] if isinstance(value, list) else value


def _patched(objects: list[Object], patch: Object, folder: Path) -> list[Object]:
    text = patch["patch"] if "patch" in patch else (folder / patch["path"]).read_text()
    content = yaml.safe_load(text)
    if isinstance(content, dict):
        if content.pop("$patch", None) != "delete":
            raise KustomizeError(f"{folder.name}: a patch is a list of JSON patches, or '$patch: delete'")
        return [one for one in objects if not _is_same(one, content)]
    for one in _met(objects, patch):
        for operation in copy.deepcopy(content):
            _apply(one, operation)
    return objects


def _refuse_to_meet_nothing(objects: list[Object], patch: Object, patches: list[Object], folder: Path) -> None:
    """The real one would leave such a patch out without a word."""
    if "target" not in patch or _met(objects, patch):
        return
    mine = patch["target"].get("kind")
    others = [one for one in patches if one.get("target", {}).get("kind") in _EITHER - {mine}]
    if mine not in _EITHER or not any(_met(objects, one) for one in others):
        raise KustomizeError(f"{folder.name}: a patch meets nothing: {patch['target']}")


def _met(objects: list[Object], patch: Object) -> list[Object]:
    return [one for one in objects if _is_target(one, patch["target"])]


def _is_same(one: Object, named: Object) -> bool:
    return (one["kind"], one["metadata"]["name"]) == (named["kind"], named["metadata"]["name"])


def _is_target(one: Object, target: Object) -> bool:
    names = {"kind": one["kind"], "name": one["metadata"]["name"]}
    return all(re.fullmatch(wanted, names[key]) for key, wanted in target.items())


def _apply(one: Object, operation: Object) -> None:
    """Apply one operation of a JSON patch (RFC 6902): add, replace or remove."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    place: Any = one
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    key: Any = last if isinstance(place, dict) else len(place) if last == "-" else int(last)
    if operation["op"] == "add" and isinstance(place, list):
        place.insert(key, operation["value"])
        return
    if operation["op"] != "add" and (key not in place if isinstance(place, dict) else key >= len(place)):
        raise KustomizeError(f"{one['metadata']['name']}: there is no {operation['path']} to {operation['op']}")
    if operation["op"] == "remove":
        del place[key]
    else:
        place[key] = operation["value"]


def _set_namespace(one: Object, namespace: str | None) -> None:
    if namespace and one["kind"] not in _WITHOUT_NAMESPACE:
        one["metadata"]["namespace"] = namespace


def _set_images(one: Object, images: list[Object]) -> None:
    for container in _containers(one):
        for image in images:
            if container["image"].split(":")[0] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"


def _containers(value: Any) -> Iterator[Object]:
    if isinstance(value, list):
        for member in value:
            yield from _containers(member)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name in ("containers", "initContainers"):
                yield from member
            else:
                yield from _containers(member)
