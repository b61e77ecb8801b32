"""GPU: whether one is there, and whether it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pynvml

from server.configuration import Settings
from server.doctor.finding import Finding, broken, good, warning


def gpu_names() -> list[str]:
    """Return the GPUs that the driver shows, none where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        count = pynvml.nvmlDeviceGetCount()
        return [_text(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(number))) for number in range(count)]
    finally:
        pynvml.nvmlShutdown()


def check_gpu(settings: Settings, *, names: Callable[[], list[str]] = gpu_names) -> Iterator[Finding]:
    """Find a GPU that lies idle, or that is wanted and not there."""
    there = names()
    if settings.device == "gpu" and not there:
        advice = "mend the NVIDIA driver (nvidia-smi shows it), or run scripts/serve --device cpu"
        yield broken("gpu", "the server is set to a GPU, and none is visible", advice)
    elif settings.device != "gpu" and there:
        yield warning("gpu", f"{', '.join(there)} is visible but unused", "run scripts/serve --device gpu")
    else:
        yield good("gpu", f"{', '.join(there)} is used" if there else "none is visible; the server computes on the CPU")


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
