"""Paths as text: any path fits on one line in UTF-8 and comes back as it was."""

from __future__ import annotations

import os

from fishgate_client.command.names import path_from, shown
from hypothesis import example, given, settings
from hypothesis import strategies as st


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
@example(b"plain.jpg")
@example(b"back\\x41slash.jpg")
@example(b"\\x5cx0a")
@example("Löffelstör 🐟.jpg".encode())
@example(b"line\nfeed \xff")
def test_every_path_survives(name: bytes) -> None:
    path = os.fsdecode(name)
    text = shown(path)
    assert path_from(text) == path
    assert text.encode("utf-8").decode("utf-8") == text
    assert not set(text) & {"\n", "\r", "\0", "\x1b"}


def test_an_ordinary_path_is_shown_as_it_is() -> None:
    assert shown("photos/Löffelstör, [2].jpg") == "photos/Löffelstör, [2].jpg"
    assert shown("a\nb") == "a\\x0ab"
