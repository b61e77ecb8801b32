"""What ``scripts/sign`` does with a folder, each in a sentence.

Owns which manifest a folder has: that of a store of archives, or that of a model pack.
"""

from __future__ import annotations

from pathlib import Path

from server.manifests import PACK_MANIFEST, STORE_MANIFEST, ManifestError, read_manifest, write_pack_manifest
from server.signatures import KEY_VARIABLE, make_keys, public_key_file, sign
from server.verifying import check_pack, check_store


def new_keys(secret: Path) -> str:
    """Make a pair of keys."""
    public = make_keys(secret)
    return f"{secret} is secret: whoever has it can sign. Servers need {public} only, as {KEY_VARIABLE}"


def make_manifest(pack: Path) -> str:
    """Write the manifest of a pack."""
    path = write_pack_manifest(pack)
    return f"{path}: {len(read_manifest(path))} files"


def sign_folder(folder: Path, secret: Path) -> str:
    """Sign what is in a folder, if it is as its manifest says: nobody shall sign what he does not have."""
    path = manifest_in(folder)
    _check_hashes(path)
    return f"{sign(path, secret)}: {len(read_manifest(path))} files"


def check_folder(folder: Path) -> str:
    """Check a folder as the server does before it serves; raises Untrusted."""
    path = manifest_in(folder)
    (check_store if path.name == STORE_MANIFEST else check_pack)(folder)
    signed = "signed, and " if public_key_file() else ""
    return f"{folder}: {signed}as its manifest says, {len(read_manifest(path))} files"


def manifest_in(folder: Path) -> Path:
    """Return the manifest of a folder; raise ManifestError if there is none."""
    # Where names differ in case only, a file system may know but one of them.
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for name in (STORE_MANIFEST, PACK_MANIFEST):
        if name in names:
            return folder / name
    raise ManifestError(
        f"there is no manifest in {folder}; scripts/build_archives writes that of archives, "
        "scripts/sign manifest that of a model pack"
    )


def _check_hashes(manifest: Path) -> None:
    (check_store if manifest.name == STORE_MANIFEST else check_pack)(manifest.parent, demand_signature=False)
