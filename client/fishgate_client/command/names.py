"""How a path is written down: as text in UTF-8, on one line, so that it can be read back.

A name may hold any byte but zero, line feeds and broken UTF-8 included; such bytes are written as ``\\xHH``.
"""

from __future__ import annotations

import os
import re

_TO_HIDE = re.compile(r"[\x00-\x1f\x7f\udc80-\udcff]|\\(?=x[0-9a-f]{2})")
_HIDDEN = re.compile(rb"\\x([0-9a-f]{2})")


def shown(path: str) -> str:
    """Return the text for a path; nearly always the path itself."""
    return _TO_HIDE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", path)


def path_from(text: str) -> str:
    """Return the path that ``shown`` wrote."""
    return os.fsdecode(_HIDDEN.sub(lambda found: bytes([int(found[1], 16)]), os.fsencode(text)))
