"""Which pictures are meant: files, folders, patterns, lists and standard input, one after the other.

Nothing is kept but names of the folder that is being walked: 100,000 pictures need no more memory than ten.
"""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from fishgate_client.command.names import shown
from fishgate_client.errors import UnreadableFile
from fishgate_client.picture import read_file

EXTENSIONS = ("jpg", "jpeg", "png", "webp", "avif", "gif", "bmp", "tif", "tiff")
"""Which files of a folder are taken for pictures, whatever the case; a file that is named itself always is."""

STANDARD_INPUT = "-"
_ENDINGS = tuple(f".{extension}" for extension in EXTENSIONS)


class SourceError(Exception):
    """A list of pictures cannot be read."""


@dataclass
class PictureFile:
    """One picture to identify. ``size`` and ``modified_ns`` are those of the file as it was read, None before."""

    path: str
    trouble: str | None = None
    size: int | None = None
    modified_ns: int | None = None

    @property
    def shown(self) -> str:
        """The path as it is written down."""
        return shown(self.path)

    def read(self) -> bytes:
        """Return the bytes; raise UnreadableFile or ImageTooLarge."""
        if self.trouble:
            raise UnreadableFile(self.trouble)
        data, status = read_file(Path(self.path))
        self.size, self.modified_ns = status.st_size, status.st_mtime_ns
        return data


@dataclass
class Sources:
    """The pictures that a command line names; may be gone through several times.

    ``named`` are files, folders, patterns or ``-``; ``lists`` files with a path in each line, after which they come.
    ``is_nul_separated`` tells how paths are separated in lists and on standard input. ``fruitless`` are the folders
    named in which the last round found no picture.
    """

    named: tuple[str, ...]
    lists: tuple[Path, ...] = ()
    is_nul_separated: bool = False
    fruitless: list[str] = field(default_factory=list)
    _input: BinaryIO | None = None

    def __iter__(self) -> Iterator[PictureFile]:
        self.fruitless.clear()
        for name in self.named:
            yield from self._listed(self._standard_input()) if name == STANDARD_INPUT else self._expanded(name)
        for path in self.lists:
            try:
                with path.open("rb") as file:
                    yield from self._listed(file)
            except OSError as error:
                raise SourceError(f"the list {path} cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """Forget what came on standard input."""
        if self._input is not None:
            self._input.close()

    def _expanded(self, name: str) -> Iterator[PictureFile]:
        if os.path.lexists(name) or not glob.has_magic(name):
            yield from self._one(name)
            return
        found = sorted(glob.glob(name, recursive=True))
        if not found:
            yield PictureFile(name, trouble=f"{shown(name)} matches no file")
        for path in found:
            yield from self._one(path)

    def _listed(self, file: BinaryIO) -> Iterator[PictureFile]:
        for name in _names(file, b"\0" if self.is_nul_separated else b"\n"):
            yield from self._one(name)

    def _one(self, name: str) -> Iterator[PictureFile]:
        if not os.path.isdir(name):
            yield PictureFile(os.path.normpath(name))
            return
        is_fruitless = True
        for picture in _walk(os.path.normpath(name)):
            is_fruitless = False
            yield picture
        if is_fruitless:
            self.fruitless.append(shown(name))

    def _standard_input(self) -> BinaryIO:
        """Return what came on standard input, to its end, in a file that can be read again."""
        if self._input is None:
            self._input = tempfile.TemporaryFile()  # noqa: SIM115 - ``close`` closes it
            shutil.copyfileobj(sys.stdin.buffer, self._input)
        self._input.seek(0)
        return self._input


def _walk(folder: str) -> Iterator[PictureFile]:
    """Give the pictures below a folder, by name. Hidden files, and folders that are links, are left out."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError as error:
        yield PictureFile(folder, trouble=f"the folder {shown(folder)} cannot be listed: {error.strerror}")
        return
    for name, is_folder in found:
        path = os.path.join(folder, name)
        if name.startswith("."):  # among them the ._* files that macOS puts beside pictures
            continue
        if is_folder:
            yield from _walk(path)
        elif name.lower().endswith(_ENDINGS):
            yield PictureFile(os.path.normpath(path))


def _names(file: Iterable[bytes], separator: bytes) -> Iterator[str]:
    """Give the names in a list, which may be written on any system."""
    for name in _separated(file, separator):
        if separator == b"\n":
            name = name.rstrip(b"\r")
        if name.strip():
            yield os.fsdecode(name)


def _separated(file: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
    rest = b""
    for number, line in enumerate(file):
        rest += line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
        *whole, rest = rest.split(separator)
        yield from whole
    yield rest
