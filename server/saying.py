"""What the scripts tell their user meanwhile: one sentence a line, on the standard error."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(f"fishgate: {text}", file=sys.stderr, flush=True)
