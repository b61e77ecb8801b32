"""Rows are picked out of a NumPy file whichever way it lies, while its bytes come by."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from packs import npy_stream
from packs.errors import ForeignTexts
from packs.npy_stream import picked_embeddings

MATRIX = np.random.default_rng(3).standard_normal((40, 6))  # 40 names
PICKED = (0, 7, 8, 31, 39)


def as_file(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def parts(content: bytes, length: int = 100) -> Iterator[bytes]:
    return (content[start : start + length] for start in range(0, len(content), length))


FORMS = {
    "names as rows": MATRIX,
    "names as columns": np.ascontiguousarray(MATRIX.T),
    "columns first": np.asfortranarray(MATRIX),
    "names as columns, columns first": MATRIX.T,
}


@pytest.mark.parametrize("block_bytes", [1, 200, 1 << 20])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_picked_embeddings_come_out(
    form: np.ndarray[Any, Any], dtype: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npy_stream, "_BLOCK_BYTES", block_bytes)
    found = picked_embeddings(parts(as_file(form.astype(dtype, order="K"))), PICKED, names=40)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, MATRIX.astype(dtype)[list(PICKED)].astype(np.float32))


WHOLE = as_file(MATRIX)
WRONG = {
    "another number of names": (WHOLE, 41, "the embeddings are 40 × 6, which does not fit 41 names"),
    "as many names as numbers": (as_file(np.ones((5, 5))), 5, "5 × 5, which does not fit 5 names"),
    "cut off": (WHOLE[:-1], 40, "end before the last line that their header tells of"),
    "cut off in the header": (WHOLE[:40], 40, "are no NumPy file"),
    "longer than told": (WHOLE + b"x", 40, "go on behind the 40 × 6 of their header"),
    "no NumPy file": (b"PK\x03\x04" * 50, 40, "are no NumPy file"),
    "nothing": (b"", 40, "are no NumPy file"),
    "whole numbers": (as_file(np.ones((40, 6), dtype=np.int8)), 40, r"are int8 of shape \(40, 6\); a matrix of"),
    "one dimension": (as_file(np.ones(40)), 40, r"float64 of shape \(40,\)"),
    "objects": (as_file(np.array([[None]])), 1, "object of shape"),
}


@pytest.mark.parametrize(("content", "names", "message"), WRONG.values(), ids=WRONG)
def test_a_file_of_another_form_is_refused(content: bytes, names: int, message: str) -> None:
    with pytest.raises(ForeignTexts, match=message):
        picked_embeddings(parts(content), (0,), names=names)


def test_only_a_little_of_a_file_is_in_memory() -> None:
    held = []

    def watched() -> Iterator[bytes]:
        incoming = parts(as_file(np.zeros((1000, 64), dtype=np.float32)), 1 << 12)
        for number, part in enumerate(incoming):
            held.append(number)
            yield part

    stream = npy_stream.Incoming(watched())
    stream.read(10)
    assert held == [0], "no more is fetched than is read"
