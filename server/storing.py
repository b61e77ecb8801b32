"""Files that are there as a whole or not at all.

Owns how they are written; what stands in them is others' business.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file in one step, on the disk before this returns: a crash leaves the old one or the new one."""
    prepared = path.with_name(f".{path.name}.{os.getpid()}")
    with prepared.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    prepared.replace(path)
