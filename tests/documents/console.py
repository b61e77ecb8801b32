"""The commands in a document: the lines after ``$`` in its console blocks."""

from __future__ import annotations

import re
from pathlib import Path

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def commands_in(document: Path) -> list[str]:
    """Return all commands of a document, in their order."""
    blocks = _BLOCK.findall(document.read_text(encoding="utf-8"))
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
