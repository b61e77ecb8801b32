"""Trouble while the expert is fetched: what was there before stays whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import packs.storage
from fishgate.model_card import CARD_FILE, Kind, read_card
from packs.errors import DiskFull, HubError
from packs.hub import Hub
from packs.pack import Folders
from packs.sources import EXPERT
from tests.packs.conftest import WEIGHTS, contents, fetch
from tests.packs.hub_stand_in import SECOND_COMMIT, HubStandIn


def test_a_download_that_breaks_off_keeps_the_old_pack_and_is_resumed(
    published: HubStandIn, hub: Hub, folders: Folders, pickled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    _, pack, _ = fetch(hub, folders)
    before = contents(pack)
    newer = tmp_path / pickled.name  # another file for the cache, the same network
    torch.save({"state_dict": torch.load(pickled, weights_only=True)}, newer)
    published.publish(EXPERT.repository, SECOND_COMMIT, newer)
    published.requests.clear()
    published.break_off_after = 0
    with pytest.raises(HubError, match="cannot be reached"):
        fetch(hub, folders)
    published.break_off_after = 30 << 20  # each answer gives thirty MiB at most

    assert contents(pack) == before
    fetch(hub, folders)

    assert read_card(pack, kind=Kind.EXPERT).version == "hub-22222222"
    assert any(span and not span.startswith("bytes=0-") for _, _, span in published.requests)


def test_a_conversion_that_breaks_off_keeps_the_old_pack(
    published: HubStandIn, hub: Hub, folders: Folders, pickled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pack, _ = fetch(hub, folders)
    before = contents(pack)
    published.publish(EXPERT.repository, SECOND_COMMIT, pickled)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("packs.pack.write_card", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(hub, folders)

    assert contents(pack) == before


def test_what_a_killed_fetch_left_is_cleared(published: HubStandIn, hub: Hub, folders: Folders) -> None:
    left = folders.pack(EXPERT) / packs.storage.PREPARED / WEIGHTS
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")

    _, pack, _ = fetch(hub, folders)

    assert sorted(path.name for path in pack.iterdir()) == [CARD_FILE, WEIGHTS]


def test_a_full_disk_is_told_before_the_download(
    published: HubStandIn, hub: Hub, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packs.storage._RESERVE_BYTES", 1 << 60)
    with pytest.raises(DiskFull, match=r"GB are needed on the disk of .*, .* GB are free; make room"):
        fetch(hub, folders)
    assert published.downloads() == []
    assert not folders.pack(EXPERT).exists()


def test_a_file_that_is_not_what_the_hub_says_is_refused(published: HubStandIn, hub: Hub, folders: Folders) -> None:
    published.lie_about_hashes = True
    with pytest.raises(HubError, match="arrived with SHA-256"):
        fetch(hub, folders)
    published.lie_about_hashes = False
    fetch(hub, folders)
    assert published.downloads().count(EXPERT.weights[0]) == 2, "the damaged file did not stay in the cache"
