"""Where a model computes: the device, its number format and its number of threads.

Owns the choice and its reasons. It does not know TorchServe; the handlers pass on what it says.
"""

from __future__ import annotations

import math
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""What a container may use of the processors, in Linux's words: microseconds of so many, or ``max``."""


@dataclass(frozen=True)
class Device:
    """A device; on a GPU the forward pass runs in bfloat16 by autocast, on a CPU in float32."""

    name: str

    @property
    def is_gpu(self) -> bool:
        """Whether this is a CUDA device."""
        return self.name.startswith("cuda")

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the forward pass runs."""
        return torch.autocast("cuda", torch.bfloat16) if self.is_gpu else nullcontext()


def choose_device(gpu_id: int | None) -> Device:
    """Return the GPU that the server assigned, or the CPU if it assigned none or none is there."""
    if gpu_id is not None and torch.cuda.is_available():
        return Device(f"cuda:{gpu_id}")
    return Device("cpu")


def share_cores(workers: int) -> int:
    """Give this process its share of the cores and return the number of its threads.

    Without it each of several workers starts a thread for every core, and they fight.
    """
    threads = max(1, _cores() // max(1, workers))
    torch.set_num_threads(threads)
    return threads


def _cores() -> int:
    """Return how many cores this process may keep busy.

    A container with a limit sees all cores of its machine; with a thread for each, it would mostly be held up.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        limit_us, period_us = CPU_LIMIT.read_text().split()
        return min(cores, math.ceil(int(limit_us) / int(period_us)))
    except (OSError, ValueError):  # there is no limit
        return cores
