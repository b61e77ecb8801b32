"""The file of results: what it holds from earlier runs, and what is added to it.

Each result is one line, handed to the system before the next one: a kill at any moment loses at most the line that was
being written, and that one is cut off and its picture asked again. Nothing stands there twice: before new results come,
the rows that they replace are taken out, by writing the file anew beside and renaming it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from fishgate_client.command.lines import Lines
from fishgate_client.command.rows import Row

try:
    import fcntl
except ModuleNotFoundError:  # not on this system: then nobody guards against two runs at once
    fcntl = None  # type: ignore[assignment]

_TAIL_BYTES = 65_536


class RecordError(Exception):
    """The file of results cannot be used; the message says what to do."""


class Record:
    """One file of lines, held open and locked."""

    def __init__(self, path: Path, lines: Lines) -> None:
        """Open the file, or begin it; cut off a line that was not written to its end."""
        self.path = path
        self._lines = lines
        self._file = _opened(path)
        self._mend()
        self.present: set[bytes] = set()
        """The marks of the paths that have a row, once ``rows`` was gone through to its end."""

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Give every row with its offset in the file."""
        with self.path.open("rb") as file:
            offset = file.seek(len(self._lines.header))
            for number, line in enumerate(file, start=1):
                try:
                    row = self._lines.decode(line)
                except (ValueError, KeyError) as error:
                    raise RecordError(f"result {number} in {self.path.name} cannot be read: {error}") from error
                self.present.add(mark(row.path))
                yield offset, row
                offset += len(line)

    def rows_at(self, offsets: list[int]) -> Iterator[Row]:
        """Give the rows at these offsets, in their order."""
        with self.path.open("rb") as file:
            for offset in offsets:
                file.seek(offset)
                yield self._lines.decode(file.readline())

    def drop(self, paths: set[bytes]) -> None:
        """Take out the rows of the paths with these marks: all at once or, on a kill, not at all."""
        aside = self.path.with_name(self.path.name + ".new")
        file = _opened(aside)
        file.truncate(0)
        with self.path.open("rb") as old:
            _write(file, old.read(len(self._lines.header)))
            for line in old:
                if mark(self._lines.decode(line).path) not in paths:
                    _write(file, line)
        os.fsync(file.fileno())
        os.replace(aside, self.path)
        self._file.close()
        self._file = file
        self.present -= paths

    def add(self, row: Row, value: dict[str, Any]) -> None:
        """Write down one result."""
        _write(self._file, self._lines.encode(row, value))
        self.present.add(mark(row.path))

    def close(self) -> None:
        """Wait until all is on the disk."""
        os.fsync(self._file.fileno())
        self._file.close()

    def _mend(self) -> None:
        """See that the file is one of ours, and only then cut off what follows the last line feed."""
        opening = self._lines.opening
        begins = os.pread(self._file.fileno(), len(opening), 0)
        if begins != opening[: len(begins)]:
            self._file.close()
            raise RecordError(f"{self.path.name} is there already and holds something else; give another name to --out")
        whole = _end_of_last_line(self._file)
        self._file.truncate(whole)
        if not whole:
            _write(self._file, self._lines.header)


def _write(file: BinaryIO, data: bytes) -> None:
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def mark(*values: object) -> bytes:
    """Return 16 bytes that stand for values: a hundred thousand of them take little memory."""
    return blake2b(repr(values).encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _opened(path: Path) -> BinaryIO:
    file = path.open("a+b", buffering=0)
    if fcntl is not None:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise RecordError(f"another run is writing {path.name} at this moment") from None
    return file


def _end_of_last_line(file: BinaryIO) -> int:
    end = file.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - _TAIL_BYTES)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
