"""That one at a time builds, starts and changes what a home serves: ``scripts/serve`` or ``scripts/deploy_model``.

Owns the lock. It ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.deploy.errors import DeployError

LOCK = "deployment.lock"


@contextmanager
def alone(home: Path, who: str) -> Iterator[None]:
    """Hold the lock of this home as ``who``; raise DeployError if somebody else does."""
    with (home / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            other = file.read() or "another script"  # it has the lock, and not yet said who it is
            raise DeployError(f"{other} is at work on the server in {home}; wait until it is done") from None
        file.truncate(0)
        file.write(who)
        file.flush()
        yield
