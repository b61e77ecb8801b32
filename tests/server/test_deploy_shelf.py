"""Where the archives of new versions lie, and that the stamp of what an archive was made of never lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.archives import write_stamp
from server.deploy.journal import Change
from server.deploy.shelf import put_in_place
from server.fingerprints import fingerprint
from server.manifests import STORE_MANIFEST, read_manifest, record_archive
from server.verifying import check_store
from tests.server.toy_stores import write_store

CHANGE = Change("expert", "fish__expert", old="1.0", new="2.0", stamp="of the new one")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the new version laid beside the old one."""
    store = write_store(tmp_path / "store")
    write_stamp(store / CHANGE.place, "of the old one")
    (store / CHANGE.archive).write_bytes(b"new")
    record_archive(store / CHANGE.archive)
    return store


def stamps(store: Path) -> str:
    return (store / "built.json").read_text()


def test_the_new_archive_takes_the_place_with_its_hash_and_stamp(store: Path) -> None:
    put_in_place(store, [CHANGE])
    check_store(store)
    assert (store / CHANGE.place).read_bytes() == b"new"
    assert not (store / CHANGE.archive).exists()
    assert "of the new one" in stamps(store)


def test_what_was_interrupted_after_the_move_is_done_again(store: Path) -> None:
    (store / CHANGE.archive).replace(store / CHANGE.place)
    put_in_place(store, [CHANGE])
    check_store(store)
    assert CHANGE.archive not in read_manifest(store / STORE_MANIFEST)
    assert "of the new one" in stamps(store)


def test_an_archive_that_was_built_since_keeps_its_own_stamp(store: Path) -> None:
    put_in_place(store, [CHANGE])
    (store / CHANGE.place).write_bytes(b"of another pack")
    record_archive(store / CHANGE.place)
    write_stamp(store / CHANGE.place, "of another pack")
    put_in_place(store, [CHANGE])
    check_store(store)
    assert (store / CHANGE.place).read_bytes() == b"of another pack"
    assert "of the new one" not in stamps(store)


def test_an_archive_that_nothing_vouches_for_is_not_put_in_place(store: Path) -> None:
    before = fingerprint([store / CHANGE.place])
    (store / STORE_MANIFEST).unlink()
    put_in_place(store, [CHANGE])
    assert fingerprint([store / CHANGE.place]) == before
    assert not (store / CHANGE.archive).exists()
    assert "of the new one" not in stamps(store)
