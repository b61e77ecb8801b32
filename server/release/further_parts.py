"""Parts that no Python lock file names: what is inside TorchServe's Java archive, and the models of the demo pack.

Of the libraries in that archive only Netty says its version; that is the one with known flaws.
"""

from __future__ import annotations

import json
import re
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

from server.manifests import CARD, PACK_MANIFEST, read_manifest, sha256_of

_NETTY = re.compile(r"^(netty-[a-z0-9-]+)\.version=(\S+)$", re.MULTILINE)
_NETTY_VERSIONS = "META-INF/io.netty.versions.properties"

Part = dict[str, Any]


def further_parts(root: Path) -> list[Part]:
    """Return CycloneDX components, always in the same order."""
    jar = Path(str(metadata.distribution("torchserve").locate_file("ts/frontend/model-server.jar")))
    return [*java_parts(jar), *model_parts(root / "models")]


def java_parts(jar: Path) -> list[Part]:
    """Return TorchServe's Java archive, and the parts of Netty in it."""
    with zipfile.ZipFile(jar) as opened:
        found = _NETTY.findall(opened.read(_NETTY_VERSIONS).decode())
    archive = _part("file", "model-server.jar", metadata.version("torchserve"), sha256_of(jar))
    return [archive, *(_netty(name, version) for name, version in sorted(set(found)))]


def model_parts(models: Path) -> list[Part]:
    """Return the models of the demo pack, with the hashes of their weights."""
    parts = []
    for pack in sorted(models.glob("*/demo")):
        card = json.loads((pack / CARD).read_text(encoding="utf-8"))
        weights = read_manifest(pack / PACK_MANIFEST)[card["weights"]["file"]]
        parts.append(_part("machine-learning-model", f"fishgate-{card['name']}", card["version"], weights))
    return parts


def _netty(name: str, version: str) -> Part:
    url = f"pkg:maven/io.netty/{name}@{version}"
    return {"bom-ref": url, "type": "library", "group": "io.netty", "name": name, "version": version, "purl": url}


def _part(kind: str, name: str, version: str, sha256: str) -> Part:
    hashes = [{"alg": "SHA-256", "content": sha256}]
    return {"bom-ref": f"{kind}:{name}", "type": kind, "name": name, "version": version, "hashes": hashes}
