"""Multipart forms are read the same however the network cuts them, and within their limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fishgate.errors import ImageTooLarge, InvalidOption
from gateway.errors import BadRequest, Busy
from gateway.http.forms import MOST_OPTIONS, FormLimits, FormReader, Part, is_form
from gateway.places import Holding, Places

BOUNDARY = "fish"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
LIMITS = FormLimits(picture_bytes=100, option_bytes=50, pictures=3)


def holding(size: int = 10_000) -> Holding:
    return Holding(Places(at_once=1, waiting=0, bytes_at_once=size))


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""])
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def read(body: bytes, *, size: int = 1 << 20, held: Holding | None = None, limits: FormLimits = LIMITS) -> list[Part]:
    reader = FormReader(TYPE, limits, held or holding())
    parts = [one for start in range(0, len(body), size) for one in reader.feed(body[start : start + size])]
    reader.finish()
    return parts


WHOLE = form(
    part('name="top_k"', b"3"),
    part('name="data"; filename="a.jpg"', b"\xff\xd8\r\n--fis \r\n-fish", "Content-Type: image/jpeg"),
    part('name="labels"; filename="labels.json"', b'["Pike"]'),
    part('name="x"; filename="fl\xfcss.png"', b""),
)
TOLD = [
    ("top_k", None, False, b"3"),
    ("data", "a.jpg", True, b"\xff\xd8\r\n--fis \r\n-fish"),
    ("labels", "labels.json", False, b'["Pike"]'),
    ("x", "flüss.png", True, b""),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 31, 1 << 20])
def test_parts_are_the_same_however_they_are_cut(size: int) -> None:
    parts = read(WHOLE, size=size)
    assert [(one.name, one.file, one.is_picture, one.content) for one in parts] == TOLD


@given(contents=st.lists(st.binary(max_size=90), max_size=3), size=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_bytes_come_through(contents: list[bytes], size: int) -> None:
    body = form(*(part('name="data"; filename="a"', content) for content in contents))
    if any(b"--fish" in content for content in contents):
        return
    assert [one.content for one in read(body, size=size)] == contents


def test_a_picture_that_is_too_large_harms_no_other() -> None:
    held = holding()
    body = form(*(part('name="data"; filename="a"', b"x" * size) for size in (100, 101, 99)))
    parts = read(body, size=13, held=held)
    assert [len(one.content) for one in parts] == [100, 0, 99]
    assert isinstance(parts[1].refusal, ImageTooLarge)
    assert "allowed are 100" in str(parts[1].refusal)
    assert held.count == 199


def test_a_picture_for_which_there_is_no_memory_harms_no_other() -> None:
    held = holding(size=120)
    body = form(*(part('name="data"; filename="a"', b"x" * size) for size in (90, 50, 30)))
    parts = read(body, size=11, held=held)
    assert [type(one.refusal) for one in parts] == [type(None), Busy, type(None)]
    assert held.count == 120


WRONG = {
    "cut off": (WHOLE[:-4], BadRequest, "cut off"),
    "nothing": (b"", BadRequest, "cut off"),
    "another boundary": (WHOLE.replace(b"--fish", b"--fosh"), BadRequest, "cannot be read"),
    "no name": (form(part("filename=a", b"x")), BadRequest, "has no name"),
    "no disposition": (b"--fish\r\nX-A: b\r\n\r\nx\r\n--fish--", BadRequest, "has no name"),
    "endless header": (b"--fish\r\nX-A: " + b"b" * 9_000, BadRequest, "header size"),
    "many headers": (b"--fish\r\n" + b"X-A: b\r\n" * 50, BadRequest, "header count"),
    "long option": (form(part('name="labels"', b"x" * 51)), InvalidOption, "'labels' has more than 50 bytes"),
    "many options": (form(*[part('name="a"', b"")] * (MOST_OPTIONS + 1)), InvalidOption, "16 options"),
    "many pictures": (form(*[part('name="data"', b"")] * 4), InvalidOption, "3 pictures"),
}


@pytest.mark.parametrize(("body", "error", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("size", [5, 1 << 20])
def test_what_is_wrong_with_a_form_is_said(body: bytes, error: type[Exception], message: str, size: int) -> None:
    with pytest.raises(error, match=message):
        read(body, size=size)


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", 'multipart/form-data; boundary=""', f"{TYPE}{'x' * 300}"]
)
def test_the_boundary_must_be_told(content_type: str) -> None:
    with pytest.raises(BadRequest, match=r"[Bb]oundary"):
        FormReader(content_type, LIMITS, holding())


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (TYPE, True),
        ("Multipart/Form-Data;boundary=a", True),
        ("image/jpeg", False),
        ("", False),
        ("multipart/mixed", False),
    ],
)
def test_only_multipart_forms_are_forms(content_type: str, expected: bool) -> None:
    assert is_form(content_type) is expected
