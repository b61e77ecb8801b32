"""The archives of new versions in the store: beside the old ones, then in their place, or gone again.

Owns these files and their lines in the store's manifest. What is interrupted here can be done again.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from server.archives import ModelSource, build_model, source_fingerprint, write_stamp
from server.deploy.errors import DeployError
from server.deploy.journal import Change
from server.manifests import STORE_MANIFEST, forget_archive, read_manifest, record_archive, write_manifest
from server.signatures import SignatureError, public_key_file
from server.verifying import Untrusted, check_archive, check_pack


def lay_beside(store: Path, change: Change, source: ModelSource, *, scratch: Path) -> None:
    """Build the new version's archive in ``scratch`` and lay it beside the old one.

    Raises DeployError if it would not be served, if its sources changed meanwhile, or where signatures are demanded:
    this would need the private key.
    """
    archive = store / change.archive
    try:
        if public_key_file() is not None:
            raise DeployError("signatures are demanded here: build and sign elsewhere, and start the server with that")
        if source.model is not None:
            check_pack(source.model)
        scratch.mkdir(parents=True, exist_ok=True)
        build_model(scratch, source)
        _check_sources(scratch / change.place, change, source)
        shutil.move(scratch / change.place, archive)
        record_archive(archive)
    except (Untrusted, SignatureError) as error:
        raise DeployError(str(error)) from None
    check_laid(store, change)


def check_laid(store: Path, change: Change) -> None:
    """Raise DeployError unless the new version's archive is as it was laid: it is code that is about to run."""
    try:
        check_archive(store / change.archive)
    except Untrusted as error:
        raise DeployError(str(error)) from None


def take_away(store: Path, changes: Iterable[Change]) -> None:
    """Remove the archives of new versions that are not to be served."""
    for change in changes:
        (store / change.archive).unlink(missing_ok=True)
        forget_archive(store / change.archive)


def put_in_place(store: Path, changes: Iterable[Change]) -> None:
    """Let the next start of the server load the new versions.

    The hash that was written when an archive was built stays the one that vouches for it. It is forgotten last: where
    it is not there this was done before, and what lies in the place may be another archive since.
    """
    for change in changes:
        hashes = read_manifest(store / STORE_MANIFEST) if (store / STORE_MANIFEST).exists() else {}
        if change.archive not in hashes:
            (store / change.archive).unlink(missing_ok=True)  # nothing vouches for it: the next start builds it anew
            continue
        if (store / change.archive).exists():
            (store / change.archive).replace(store / change.place)
        write_manifest(store / STORE_MANIFEST, {**hashes, change.place: hashes[change.archive]})
        write_stamp(store / change.place, change.stamp)
        forget_archive(store / change.archive)


def _check_sources(built: Path, change: Change, source: ModelSource) -> None:
    """Raise DeployError unless this is the version that was decided on: nobody would know the other one."""
    with zipfile.ZipFile(built) as opened:
        version = json.loads(opened.read("MAR-INF/MANIFEST.json"))["model"]["modelVersion"]
    if version != change.new or source_fingerprint(source) != change.stamp:
        raise DeployError(f"what the {change.model} is built of changed meanwhile; call scripts/deploy_model again")
