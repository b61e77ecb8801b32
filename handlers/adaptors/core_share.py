"""A worker's share of the cores, while workers of its model come and go.

Without it each worker starts a thread for every core, and they fight. Owns how workers of one
server know of each other: each leaves a file with its process id in the temporary folder that they
share. TorchServe tells a worker nothing of its siblings, and scaling changes their number live.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import psutil

from fishgate.device import share_cores

_LOOK_EVERY_S = 5.0


class CoreShare:
    """Keeps a worker to its share; ``share_cores_with`` as in the worker's settings."""

    def __init__(self, model: str, *, share_cores_with: int) -> None:
        self._share_cores_with = share_cores_with
        # Named after the server's process, so that what an earlier server left behind does not count.
        self._folder = Path(tempfile.gettempdir()) / f"fishgate-workers-{os.getppid()}" / model
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / str(os.getpid())).touch()
        self._next_look_s = 0.0
        self._threads = 1

    def keep(self) -> int:
        """Set the number of this worker's threads anew if it is time to; return that number."""
        if time.monotonic() >= self._next_look_s:
            self._next_look_s = time.monotonic() + _LOOK_EVERY_S
            self._threads = share_cores(self._share_cores_with * self._workers())
        return self._threads

    def _workers(self) -> int:
        """Count the model's workers that are alive; forget those that are not."""
        if not self._folder.is_dir():  # somebody cleaned up: no reason to fail a batch of pictures
            return 1
        files = list(self._folder.iterdir())
        for file in files:
            if not psutil.pid_exists(int(file.name)):
                file.unlink(missing_ok=True)
        return max(1, sum(file.exists() for file in files))
