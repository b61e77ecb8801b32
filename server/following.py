"""Printing what is added to a log while it is written.

Owns the following of one file, also over its being put aside for another one.
"""

from __future__ import annotations

import os
import time
from pathlib import Path


def follow(log: Path) -> None:
    """Print what is added to the log, for ever: in a container it belongs on the standard output."""
    log.touch()
    file = log.open(errors="replace")
    file.seek(0, os.SEEK_END)
    while True:
        line = file.readline()
        if line:
            print(line, end="", flush=True)
        elif log.exists() and not os.path.samestat(log.stat(), os.fstat(file.fileno())):
            file.close()  # it was put aside, and another one begun
            file = log.open(errors="replace")
        else:
            time.sleep(0.5)
