"""Stores of archives and model packs that are small: a manifest does not care what is in a file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from server.manifests import CARD, record_archive, write_pack_manifest

ARCHIVES = ("expert.mar", "router.mar", "zero_shot.mar", "fish.war")


def write_store(folder: Path) -> Path:
    """Write a store as a build leaves it."""
    folder.mkdir(parents=True)
    for name in ARCHIVES:
        (folder / name).write_bytes(f"what is in {name}".encode())
        record_archive(folder / name)
    return folder


def write_pack(folder: Path) -> Path:
    """Write a model pack with its manifest."""
    (folder / "species_lists").mkdir(parents=True)
    (folder / CARD).write_text(json.dumps({"name": "toy"}))
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "species_lists" / "lake.csv").write_text("common_name\nPike\n")
    write_pack_manifest(folder)
    return folder


def flip(path: Path) -> None:
    """Change one bit, and neither size nor time."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
