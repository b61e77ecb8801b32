"""A GPU is called used only where the models' workers are seen on it, or nobody can see and torch could."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from server.configuration import Settings
from server.doctor import gpu
from server.doctor.finding import Finding, State
from server.doctor.gpu import Sight, check_gpu, gpu_names, gpu_users, model_workers, torch_trouble

GOOD, WARNING, BROKEN = State.GOOD, State.WARNING, State.BROKEN
BOTH = {"expert": {11, 12}, "zero_shot": {13}}
NO_CUDA = "AssertionError: Torch not compiled with CUDA enabled"


class NvmlError(Exception):
    """NVML's own."""


def nvml(users: list[list[int]] | None, *, is_silent: bool = False) -> SimpleNamespace:
    """A stand-in for NVML: GPUs with the processes that compute on them; None stands for no driver."""
    opened: list[bool] = []

    def begin() -> None:
        if users is None:
            raise NvmlError("no driver")
        opened.append(True)

    def processes_on(handle: int) -> list[SimpleNamespace]:
        assert opened
        if is_silent or users is None:
            raise NvmlError("not supported")
        return [SimpleNamespace(pid=pid) for pid in users[handle]]

    return SimpleNamespace(
        opened=opened,
        NVMLError=NvmlError,
        nvmlInit=begin,
        nvmlShutdown=opened.clear,
        nvmlDeviceGetCount=lambda: len(users or []),
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetName=lambda handle: f"H200 no. {handle}".encode(),
        nvmlDeviceGetComputeRunningProcesses=processes_on,
    )


def sight(
    names: str = "H200", users: set[int] | None = None, trouble: str = "", workers: dict[str, set[int]] | None = None
) -> Sight:
    return Sight(lambda: [names] if names else [], lambda: users, lambda: trouble, lambda settings: workers or {})


CASES = {
    "none there, none wanted": ("cpu", sight(""), GOOD, "none is visible"),
    "there and not wanted": ("cpu", sight(), WARNING, "H200 is visible but unused"),
    "wanted and not there": ("gpu", sight(""), BROKEN, "none is visible"),
    "all models on it": ("gpu", sight(users={12, 13, 99}, workers=BOTH), GOOD, "H200 is used by expert and zero_shot"),
    "one model beside it": (
        "gpu",
        sight(users={12, 99}, workers=BOTH),
        WARNING,
        "no worker of zero_shot computes on it",
    ),
    "nobody on it": ("gpu", sight(users=set(), workers=BOTH), WARNING, "no worker of expert and zero_shot computes"),
    "nobody on it, for torch cannot": ("gpu", sight(users=set(), trouble=NO_CUDA, workers=BOTH), BROKEN, NO_CUDA),
    "hidden, and torch could": ("gpu", sight(users=None, workers=BOTH), GOOD, "cannot be seen from here"),
    "hidden, and torch cannot": ("gpu", sight(users=None, trouble=NO_CUDA, workers=BOTH), BROKEN, NO_CUDA),
    "stopped, and torch could": ("gpu", sight(users={99}), GOOD, "torch can compute on H200; no worker runs"),
    "stopped, and torch cannot": ("gpu", sight(users={99}, trouble=NO_CUDA), BROKEN, "torch cannot compute on it"),
}


@pytest.mark.parametrize(("device", "sight", "state", "seen"), CASES.values(), ids=CASES)
def test_a_gpu_is(tmp_path: Path, device: str, sight: Sight, state: State, seen: str) -> None:
    [found] = check_gpu(Settings(home=tmp_path, device=device), sight=sight)
    assert isinstance(found, Finding)
    assert (found.state, bool(found.mend)) == (state, state is not GOOD)
    assert seen in found.seen


@pytest.mark.parametrize(
    ("library", "namespace", "names", "users"),
    [
        (nvml(None), "pid:[4026531836]", [], set()),
        (nvml([[7, 8], [9]]), "pid:[4026531836]", ["H200 no. 0", "H200 no. 1"], {7, 8, 9}),
        (nvml([[7, 8]]), "pid:[4026532177]", ["H200 no. 0"], None),
        (nvml([[7, 8]], is_silent=True), "pid:[4026531836]", ["H200 no. 0"], None),
    ],
    ids=["no driver", "two GPUs", "in a container", "a GPU that does not tell"],
)
def test_nvml_is_asked_and_left(
    monkeypatch: pytest.MonkeyPatch, library: SimpleNamespace, namespace: str, names: list[str], users: set[int] | None
) -> None:
    monkeypatch.setattr(gpu, "pynvml", library)
    monkeypatch.setattr(Path, "readlink", lambda self: Path(namespace))
    assert gpu_names() == names
    assert gpu_users() == users
    assert library.opened == []


def test_the_gpus_of_this_machine_are_seen() -> None:
    assert all(isinstance(name, str) and name for name in gpu_names())
    assert os.getpid() not in (gpu_users() or set())


def test_the_torch_of_this_environment_says_why_it_cannot() -> None:
    trouble = torch_trouble()
    assert trouble == "" if gpu_names() else "Error: " in trouble


def test_a_server_that_does_not_run_has_no_workers(tmp_path: Path) -> None:
    assert model_workers(replace(Settings(home=tmp_path), device="gpu")) == {}
