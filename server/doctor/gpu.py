"""GPU: whether one is there, and whether the models really compute on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pynvml

from server import instance
from server.configuration import Settings
from server.doctor.finding import Finding, broken, good, warning
from server.management import ManagementError, TorchServe

_T = TypeVar("_T")
_ALL_PROCESSES = "pid:[4026531836]"
"""Linux's name of the outermost set of process ids; in a container, which has its own, NVML tells none or others."""

_SERVE = "scripts/serve --device gpu"
_ASK_TORCH = "import torch; torch.cuda.init()"  # it says why, which is_available() does not


def gpu_names() -> list[str]:
    """Return the GPUs that the driver shows, none where there is no driver."""
    return _of_each_gpu(lambda handle: _text(pynvml.nvmlDeviceGetName(handle)))


def gpu_users() -> set[int] | None:
    """Return the processes that compute on any GPU; None where they cannot be told."""
    if not _sees_all_processes():
        return None
    try:
        found = _of_each_gpu(pynvml.nvmlDeviceGetComputeRunningProcesses)
    except pynvml.NVMLError:  # not every GPU tells
        return None
    return {int(process.pid) for of_gpu in found for process in of_gpu}


def torch_trouble() -> str:
    """Return why torch cannot compute on a GPU, in its own words; nothing if it can."""
    # A process of its own: this room does not know torch, and it is to be gone from the GPU afterwards.
    done = subprocess.run([sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=300, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it says nothing"])[-1][:200]


def model_workers(settings: Settings) -> dict[str, set[int]]:
    """Return the processes of each model's workers, by model; of none if TorchServe does not tell."""
    if instance.running(settings) is None:
        return {}
    try:
        return {model: _pids(TorchServe(settings).describe(model)) for model in settings.served_models}
    except ManagementError:
        return {}


@dataclass(frozen=True)
class Sight:
    """What there is to see, and how it is looked at."""

    names: Callable[[], list[str]] = gpu_names
    users: Callable[[], set[int] | None] = gpu_users
    torch_trouble: Callable[[], str] = torch_trouble
    workers: Callable[[Settings], dict[str, set[int]]] = model_workers


REAL = Sight()


def check_gpu(settings: Settings, *, sight: Sight = REAL) -> Iterator[Finding]:
    """Find a GPU that lies idle, that is wanted and not there, or on which nobody computes though he should."""
    names = ", ".join(sight.names())
    if settings.device != "gpu":
        yield _unwanted(names)
    elif not names:
        advice = "mend the NVIDIA driver (nvidia-smi shows it), or run scripts/serve --device cpu"
        yield broken("gpu", "the server is set to a GPU, and none is visible", advice)
    else:
        yield _use(names, sight, sight.workers(settings))


def _unwanted(names: str) -> Finding:
    if names:
        return warning("gpu", f"{names} is visible but unused", f"run {_SERVE}")
    return good("gpu", "none is visible; the server computes on the CPU")


def _use(names: str, sight: Sight, workers: dict[str, set[int]]) -> Finding:
    """Say whether the workers are on the GPU; where they cannot be seen there, whether they could be."""
    users = sight.users() if workers else None
    if users is None:
        return _usable(names, sight, is_running=bool(workers))
    idle = [model for model, pids in workers.items() if not pids & users]
    if not idle:
        return good("gpu", f"{names} is used by {' and '.join(workers)}")
    trouble = sight.torch_trouble()
    if trouble:
        return _unusable(names, trouble)
    seen = f"{names} is visible, and no worker of {' and '.join(idle)} computes on it"
    return warning("gpu", seen, f"run scripts/stop, then {_SERVE}; if it stays so, look into torchserve.log")


def _usable(names: str, sight: Sight, *, is_running: bool) -> Finding:
    trouble = sight.torch_trouble()
    if trouble:
        return _unusable(names, trouble)
    seen = "who computes on it cannot be seen from here" if is_running else "no worker runs"
    return good("gpu", f"torch can compute on {names}; {seen}")


def _unusable(names: str, trouble: str) -> Finding:
    seen = f"{names} is visible, and torch cannot compute on it, so the models do not: {trouble}"
    return broken("gpu", seen, "mend what it says (nvidia-smi shows the driver), or run scripts/serve --device cpu")


def _pids(description: dict[str, Any]) -> set[int]:
    return {int(worker["pid"]) for worker in description["workers"]}


def _of_each_gpu(ask: Callable[[Any], _T]) -> list[_T]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        count = pynvml.nvmlDeviceGetCount()
        return [ask(pynvml.nvmlDeviceGetHandleByIndex(number)) for number in range(count)]
    finally:
        pynvml.nvmlShutdown()


def _sees_all_processes() -> bool:
    try:
        return str(Path("/proc/self/ns/pid").readlink()) == _ALL_PROCESSES
    except OSError:
        return False


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
