"""The machine: memory and disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from server import instance
from server.configuration import Settings
from server.doctor.finding import Finding, broken, good, warning

GB = 1e9
START_BYTES = {"demo": 4 * GB, "hub": 8 * GB}
"""What a start takes: Java's heap of 2 GB, and three workers, which need 0.5 GB for torch and then their models."""

SPARE_BYTES = 0.5 * GB
"""What should be free while it runs: pictures, packets, and a worker that comes back."""

DISK_BYTES = 2 * GB
"""What should be free: two access logs of 100 MB, unpacked archives, spooled pictures."""

_LIMIT = Path("/sys/fs/cgroup/memory.max")
_USED = Path("/sys/fs/cgroup/memory.current")


def check_memory(settings: Settings, *, available_bytes: float | None = None) -> Iterator[Finding]:
    """Find too little memory, for a start or for a running server."""
    free = memory_available_bytes() if available_bytes is None else available_bytes
    is_running = instance.running(settings) is not None
    needed = SPARE_BYTES if is_running else START_BYTES.get(settings.pack, START_BYTES["hub"])
    seen = f"{free / GB:.1f} GB of memory are available, {needed / GB:.1f} GB should be"
    if free >= needed:
        yield good("memory", seen)
    elif free < needed / 2:
        yield broken("memory", seen, "end other programs, give the container more, or serve the demo pack")
    else:
        yield warning("memory", seen, "workers may be killed under load; end other programs or give it more")


def memory_available_bytes() -> float:
    """Return what is available on this machine, or to this container where that is less."""
    free = float(psutil.virtual_memory().available)
    try:
        return min(free, float(_LIMIT.read_text()) - float(_USED.read_text()))
    except (OSError, ValueError):  # no such control group, or no limit, which is the word "max"
        return free


def check_disk(settings: Settings, *, needed_bytes: float = DISK_BYTES) -> Iterator[Finding]:
    """Find folders without room, or that cannot be written."""
    for name, folder in (("home", settings.home), ("store", settings.store)):
        place = next(path for path in (folder, *folder.parents) if path.exists())
        if not place.is_dir():
            yield broken("disk", f"{place} is no folder, and should be the {name}", "move it away")
            continue
        free = shutil.disk_usage(place).free
        seen = f"{free / GB:.1f} GB are free for the {name}, {needed_bytes / GB:.1f} GB should be"
        advice = f"make room on the disk of {place}, or choose another with scripts/serve --{name}"
        if free >= needed_bytes:
            yield good("disk", seen)
        elif free < needed_bytes / 10:
            yield broken("disk", seen, advice)
        else:
            yield warning("disk", seen, advice)
