"""Where a model computes: the device, its number format and its number of threads.

Owns the choice and its reasons. It does not know TorchServe; the handlers pass on what it says.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch


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
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // max(1, workers))
    torch.set_num_threads(threads)
    return threads
