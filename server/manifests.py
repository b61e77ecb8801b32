"""Manifests: the SHA-256 of every file that is served, kept beside the files.

Owns their form and their writing. A store of archives has ``MANIFEST.json``, a model pack ``manifest.json``; both map
the path of a file, below the folder, to its hash in hex. Who holds files against them is ``server.verifying``.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from server.fingerprints import files_in

STORE_MANIFEST = "MANIFEST.json"
PACK_MANIFEST = "manifest.json"
SIGNATURE_SUFFIX = ".sig"
CARD = "model_card.json"
ARCHIVE_SUFFIXES = (".mar", ".war")
_BLOCK_BYTES = 1 << 20


class ManifestError(Exception):
    """A manifest cannot be read, or there is nothing to make one of; the message says what to do."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex; it may be larger than the memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def read_manifest(path: Path) -> dict[str, str]:
    """Return the hashes by path; raise ManifestError if it is not there or is none."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ManifestError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError:
        raise ManifestError(f"{path} is damaged: it is no JSON") from None
    if not isinstance(value, dict) or not all(isinstance(text, str) and len(text) == 64 for text in value.values()):
        raise ManifestError(f"{path} is damaged: wanted is an object of file names and SHA-256 hashes")
    return value


def archives_in(store: Path) -> list[str]:
    """Return the paths of all archives in a store, also in folders below: TorchServe may load those too.

    Raises ManifestError for a store with a symbolic link in it.
    """
    _refuse_links(store)
    return sorted(
        path.relative_to(store).as_posix()
        for path in store.rglob("*")
        if path.suffix in ARCHIVE_SUFFIXES and path.is_file()
    )


def record_archive(archive: Path) -> None:
    """Put an archive that was just built here into the manifest of its folder.

    What is gone is taken out. A signature held for the manifest as it was; it is removed.
    """
    path = archive.parent / STORE_MANIFEST
    known = read_manifest(path) if path.exists() else {}
    there = {name: text for name, text in known.items() if (archive.parent / name).is_file()}
    write_manifest(path, {**there, archive.name: sha256_of(archive)})


def forget_archive(archive: Path) -> None:
    """Take an archive out of the manifest of its folder; nothing happens if it does not stand there."""
    path = archive.parent / STORE_MANIFEST
    known = read_manifest(path) if path.exists() else {}
    if archive.name in known:
        write_manifest(path, {name: text for name, text in known.items() if name != archive.name})


def write_pack_manifest(pack: Path) -> Path:
    """Write the manifest of a model pack, of all files that are in its folder now, and return its path.

    Raises ManifestError for a folder that is no pack, or has a symbolic link in it.
    """
    if not (pack / CARD).is_file():
        raise ManifestError(f"{pack} is no model pack: there is no {CARD} in it")
    path = pack / PACK_MANIFEST
    write_manifest(path, {name: sha256_of(pack / name) for name in pack_files(pack)})
    return path


def pack_files(pack: Path) -> list[str]:
    """Return the paths of what belongs to a pack: all but hidden files, the manifest and its signature.

    Hidden lists do belong to it, for whoever reads a folder of lists reads them too.
    Raises ManifestError for a pack with a symbolic link in it.
    """
    _refuse_links(pack)
    own = (PACK_MANIFEST, PACK_MANIFEST + SIGNATURE_SUFFIX)
    names = [path.relative_to(pack) for path in files_in(pack)]
    return [
        name.as_posix()
        for name in names
        if name.as_posix() not in own and (name.suffix == ".csv" or not any(part[0] == "." for part in name.parts))
    ]


def _refuse_links(folder: Path) -> None:
    """A link may lead elsewhere tomorrow, and what lies in a linked folder is not searched; the folder may be one."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ManifestError(f"{path} is a symbolic link, and only files are vouched for; put a copy in its place")


def write_manifest(path: Path, hashes: dict[str, str]) -> None:
    """Write a manifest in one step, and remove the signature of what stood there before; the same changes nothing."""
    text = json.dumps(hashes, indent=1, sort_keys=True) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    signature_of(path).unlink(missing_ok=True)
    prepared = path.with_name(f".{path.name}.{os.getpid()}")
    prepared.write_text(text, encoding="utf-8")
    prepared.replace(path)


def signature_of(manifest: Path) -> Path:
    """Return where the signature of a manifest lies: beside it."""
    return manifest.with_name(manifest.name + SIGNATURE_SUFFIX)
