"""A NumPy file that is longer than the memory: some of its rows, picked while the bytes come by.

Owns the file's header and both orders in which a matrix is stored. Where the bytes come from it
does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from packs.errors import ForeignTexts, in_one_line

_BLOCK_BYTES = 8 * 2**20


class Incoming:
    """Bytes that come in parts, read in the amounts that the reader wants."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._held = bytearray()

    def read(self, count: int) -> bytes:
        """Return the next ``count`` bytes; fewer only at the end."""
        while len(self._held) < count and (part := next(self._parts, None)) is not None:
            self._held += part
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken


@dataclass(frozen=True)
class _Lines:
    """How a matrix lies in the file: ``count`` lines of ``length`` numbers, one behind the other."""

    count: int
    length: int
    dtype: np.dtype[np.floating]

    @property
    def line_bytes(self) -> int:
        return self.length * self.dtype.itemsize


def picked_embeddings(parts: Iterable[bytes], picked: Sequence[int], *, names: int) -> NDArray[np.float32]:
    """Return the embeddings of the picked names, shape (picked, D), out of a whole file's bytes.

    The matrix has one embedding for each of ``names``, as its rows or as its columns. Of the file at
    most a few lines are in memory. Raises ForeignTexts if it is no such matrix or ends early.
    """
    incoming = Incoming(parts)
    lines = _header(incoming)
    if names not in (lines.count, lines.length) or lines.count == lines.length:
        seen = f"{lines.count} × {lines.length}"
        raise ForeignTexts(f"the embeddings are {seen}, which does not fit {names} names")
    by_columns = lines.length == names
    result = np.empty((len(picked), lines.count if by_columns else lines.length), dtype=np.float32)
    wanted = np.asarray(picked, dtype=np.intp)
    at_once = max(1, _BLOCK_BYTES // lines.line_bytes)
    for first in range(0, lines.count, at_once):
        block = _block(incoming, lines, min(at_once, lines.count - first))
        if by_columns:
            result[:, first : first + len(block)] = block[:, wanted].T
        else:
            here = (wanted >= first) & (wanted < first + len(block))
            result[here] = block[wanted[here] - first]
    if incoming.read(1):
        raise ForeignTexts(f"the embeddings go on behind the {lines.count} × {lines.length} of their header")
    return result


def _header(incoming: Incoming) -> _Lines:
    try:
        version = npy.read_magic(incoming)  # type: ignore[arg-type]
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, dtype = read(incoming)  # type: ignore[arg-type]
    except (ValueError, EOFError) as error:
        raise ForeignTexts(f"the embeddings are no NumPy file: {in_one_line(error)}") from None
    if len(shape) != 2 or dtype.kind != "f" or 0 in shape:
        raise ForeignTexts(f"the embeddings are {dtype} of shape {shape}; a matrix of floating-point numbers is wanted")
    stored = shape[::-1] if is_fortran else shape
    return _Lines(stored[0], stored[1], dtype)


def _block(incoming: Incoming, lines: _Lines, count: int) -> NDArray[np.floating]:
    content = incoming.read(count * lines.line_bytes)
    if len(content) != count * lines.line_bytes:
        raise ForeignTexts("the embeddings end before the last line that their header tells of")
    return np.frombuffer(content, dtype=lines.dtype).reshape(count, lines.length)
