"""Whether what is about to be served is what was built: archives and model packs, held against their manifests.

Owns the decision. An archive is code that TorchServe runs, so a doubtful one is refused before it sees it. A hash
alone shows damage and carelessness; who can write to a folder can write its manifest too. Against those, a signature
can be demanded (``server.signatures``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from server.manifests import (
    CARD,
    PACK_MANIFEST,
    STORE_MANIFEST,
    ManifestError,
    archives_in,
    pack_files,
    read_manifest,
    sha256_of,
)
from server.signatures import SignatureError, check_signature, public_key_file

_BUILD = "build the archives with scripts/build_archives"
_ANEW = "remove it and build it with scripts/build_archives, or bring it here again from where it was built"
_RESTORE = "restore it, or, if the change was yours, write the manifest anew with scripts/sign manifest"
_COMPUTED = (".embeddings.npy", ".embeddings.json")
"""What a server computes of a list and keeps beside it; a record holds its hash."""


class Untrusted(Exception):
    """Something must not be served; the message names it and says what to do."""


def check_store(store: Path, *, demand_signature: bool = True) -> None:
    """Raise Untrusted unless every archive in the store is in its manifest, and as it was when that was written."""
    hashes = _trusted(store / STORE_MANIFEST, _BUILD, demand_signature=demand_signature)
    for name in sorted({*hashes, *_seen(archives_in, store)}):
        _check(store / name, hashes.get(name), _ANEW)


def check_archive(archive: Path) -> None:
    """Raise Untrusted unless this archive is in the manifest of its folder, and as it was when that was written."""
    hashes = _trusted(archive.parent / STORE_MANIFEST, _BUILD, demand_signature=True)
    _check(archive, hashes.get(archive.name), _ANEW)


def check_pack(pack: Path, *, demand_signature: bool = True) -> None:
    """Raise Untrusted unless a model pack has a manifest and its files are as they were when that was written."""
    advice = f"if it is your own, write one with scripts/sign manifest {pack}"
    hashes = _trusted(pack / PACK_MANIFEST, advice, demand_signature=demand_signature)
    served = {name for name in _seen(pack_files, pack) if _is_served(name)}
    for name in sorted({*hashes, *served}):
        _check(pack / name, hashes.get(name), _RESTORE)


def _is_served(name: str) -> bool:
    return name == CARD or (name.endswith((".safetensors", ".csv", ".npy")) and not name.endswith(_COMPUTED))


def _seen(search: Callable[[Path], list[str]], folder: Path) -> list[str]:
    try:
        return search(folder)
    except ManifestError as error:
        raise Untrusted(f"{error}; nothing in {folder} is served") from None


def _trusted(manifest: Path, advice: str, *, demand_signature: bool) -> dict[str, str]:
    """Return the hashes of a manifest that is signed where that is demanded."""
    if not manifest.exists():
        raise Untrusted(f"nothing vouches for what is in {manifest.parent}: there is no {manifest.name}; {advice}")
    try:
        key = public_key_file()
        if key is not None and demand_signature:
            check_signature(manifest, key)
        return read_manifest(manifest)
    except (ManifestError, SignatureError) as error:
        raise Untrusted(f"{error}; nothing in {manifest.parent} is served") from None


def _check(path: Path, wanted: str | None, advice: str) -> None:
    if wanted is None:
        raise Untrusted(f"{path} does not stand in the manifest and is not served: nothing vouches for it; {advice}")
    if not path.is_file():
        raise Untrusted(f"{path} stands in the manifest and is not there; {advice}")
    seen = sha256_of(path)
    if seen != wanted:
        raise Untrusted(
            f"{path} is not the file that was built and is not served: its SHA-256 is {seen[:16]}…, "
            f"the manifest says {wanted[:16]}…; {advice}"
        )
