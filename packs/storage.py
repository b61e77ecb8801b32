"""Room on the disk, and how a prepared pack takes the place of the old one.

A pack is prepared whole in a folder of its own and then renamed into place, so that a fetch that
is interrupted leaves the old pack as it was.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from packs.errors import DiskFull

PREPARED = ".partial"
_RESERVE_BYTES = 100 * 2**20
_GB = 1e9


def check_room(needs: Sequence[tuple[Path, int]]) -> None:
    """Raise DiskFull unless each folder's disk has room for what is to come, and a reserve."""
    by_disk: dict[int, tuple[Path, int]] = {}
    for folder, size_bytes in needs:
        existing = _nearest_existing(folder)
        disk = existing.stat().st_dev
        by_disk[disk] = (existing, by_disk.get(disk, (existing, 0))[1] + size_bytes)
    for folder, size_bytes in by_disk.values():
        wanted, free = size_bytes + _RESERVE_BYTES, shutil.disk_usage(folder).free
        if size_bytes and free < wanted:
            raise DiskFull(
                f"{wanted / _GB:.2f} GB are needed on the disk of {folder}, {free / _GB:.2f} GB are free; "
                "make room, or choose another disk with --output or HF_HOME"
            )


@contextmanager
def prepared_folder(pack: Path) -> Iterator[Path]:
    """Give an empty folder inside ``pack`` to prepare files in; it is gone afterwards."""
    folder = pack / PREPARED
    shutil.rmtree(folder, ignore_errors=True)  # what a killed fetch left
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_in_place(prepared: Path, pack: Path, names: Sequence[str]) -> None:
    """Rename prepared files over the old ones, all of them even if Ctrl-C or SIGTERM comes meanwhile."""
    for name in names:
        _flush(prepared / name)
    with _signals_waiting():
        for name in names:
            os.replace(prepared / name, pack / name)


@contextmanager
def _signals_waiting() -> Iterator[None]:
    waiting = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, waiting)


def _flush(path: Path) -> None:
    # Else a power cut could keep the new name and lose what it names.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _nearest_existing(folder: Path) -> Path:
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
