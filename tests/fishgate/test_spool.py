"""Waiting pictures are found again by their ticket, and forgotten ones do not stay."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from fishgate.errors import InternalError
from fishgate.spool import FORGOTTEN_AFTER_S, Spool

NO_TICKETS = ["", "x", "../secret", "/etc/hostname", "A" * 32, "0" * 31, "0" * 33, "0" * 32 + "\n", "0" * 31 + "/"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "spool"


def test_a_picture_is_found_by_its_ticket(folder: Path) -> None:
    spool = Spool(folder)
    tickets = [spool.put(picture) for picture in (b"one", b"two", b"")]
    assert [spool.get(ticket) for ticket in tickets] == [b"one", b"two", b""]


def test_the_same_picture_gets_a_ticket_of_its_own_each_time(folder: Path) -> None:
    assert len({Spool(folder).put(b"same") for _ in range(20)}) == 20


def test_another_process_finds_it_too(folder: Path) -> None:
    assert Spool(folder).get(Spool(folder).put(b"picture")) == b"picture"


def test_nobody_else_can_look_into_the_folder(folder: Path) -> None:
    Spool(folder).put(b"picture")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_removed_picture_is_gone(folder: Path) -> None:
    spool = Spool(folder)
    ticket = spool.put(b"picture")
    spool.remove(ticket)
    spool.remove(ticket)  # as often as one likes
    assert list(folder.iterdir()) == []
    with pytest.raises(InternalError, match="is gone"):
        spool.get(ticket)


@pytest.mark.parametrize("ticket", NO_TICKETS, ids=repr)
def test_what_is_no_ticket_opens_and_removes_nothing(folder: Path, ticket: str) -> None:
    spool = Spool(folder)
    spool.put(b"picture")
    (folder.parent / "secret").write_text("secret")
    with pytest.raises(InternalError, match="no ticket"):
        spool.get(ticket)
    with pytest.raises(InternalError, match="no ticket"):
        spool.remove(ticket)
    assert (folder.parent / "secret").exists()


def test_forgotten_pictures_are_swept_and_waiting_ones_stay(folder: Path) -> None:
    tickets = [Spool(folder).put(b"picture") for _ in range(2)]
    long_ago_s = time.time() - FORGOTTEN_AFTER_S - 60.0
    os.utime(folder / tickets[0], (long_ago_s, long_ago_s))
    newest = Spool(folder).put(b"picture")
    assert {path.name for path in folder.iterdir()} == {tickets[1], newest}


def test_one_spool_sweeps_only_now_and_then(folder: Path) -> None:
    spool = Spool(folder)
    ticket = spool.put(b"picture")
    os.utime(folder / ticket, (0, 0))
    spool.put(b"picture")
    assert (folder / ticket).exists()


def test_a_disk_that_does_not_take_the_picture_is_told(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("this is a file, no folder")
    with pytest.raises(OSError, match="spool"):
        Spool(tmp_path / "spool").put(b"picture")
