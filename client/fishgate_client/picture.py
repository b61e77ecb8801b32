"""A picture as the caller gives it, and its bytes, read when they are needed and not before."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from fishgate_client.errors import ImageTooLarge, UnreadableFile

Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A path, the bytes of a file, or an open binary file."""

MAX_READ_BYTES = 100_000_000
"""Larger files are not even read: no server takes one (Fishgate's own limit is 25 MB)."""

_NOT_BLOCKING = getattr(os, "O_NONBLOCK", 0)


def read_picture(picture: Picture) -> bytes:
    """Return the bytes of a picture; raise UnreadableFile or ImageTooLarge."""
    if isinstance(picture, bytes | bytearray | memoryview):
        return bytes(picture)
    if isinstance(picture, str | os.PathLike):
        return read_file(Path(picture))[0]
    return _limited(picture.read(MAX_READ_BYTES + 1))


def read_file(path: Path) -> tuple[bytes, os.stat_result]:
    """Return a file's bytes, and size and times of the very file that was read; raise as ``read_picture`` does."""
    try:
        # A named pipe without a writer would keep a plain open() waiting for ever.
        with open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | _NOT_BLOCKING)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableFile(f"{path.name} is no regular file")
            if status.st_size > MAX_READ_BYTES:
                raise _too_large(status.st_size)
            return _limited(file.readall()), status
    except OSError as error:
        raise UnreadableFile(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:  # a zero byte in the name
        raise UnreadableFile(f"this cannot be the name of a file: {error}") from error


def _limited(data: bytes) -> bytes:
    if len(data) > MAX_READ_BYTES:
        raise _too_large(len(data))
    return data


def _too_large(size: int) -> ImageTooLarge:
    return ImageTooLarge(f"the file has {size:,} bytes and was not sent; no more than {MAX_READ_BYTES:,} are read")
