"""The mathematics of a step: optimiser, rates, number format, mixed pictures, averaged weights.

Owns how each setting of a stage becomes torch's object for it. The order of the steps is said by
``training.stages``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, OneCycleLR

from training.recipe import Optimiser, Schedule, Stage

MAX_GRADIENT_NORM = 5.0  # a rare bad batch must not throw the weights far off
SGD_MOMENTUM = 0.9
WARM_UP = 0.2  # of a one-cycle stage

HEAD, BACKBONE = "head", "backbone"


class Learner(Protocol):
    """A network being trained: its parameters in two parts, its modes and its scores."""

    network: nn.Module
    head: list[nn.Parameter]
    backbone: list[nn.Parameter]

    def set_training(self) -> None:
        """Put the network in the mode for training."""

    def scores(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, labels) of a normalised batch (B, 3, H, W)."""


def make_optimiser(learner: Learner, stage: Stage) -> torch.optim.Optimizer:
    """Return the optimiser of a stage, with a group for each part of the network that learns in it."""
    parts = [(HEAD, learner.head, stage.head_rate), (BACKBONE, learner.backbone, stage.backbone_rate)]
    groups = [{"params": parameters, "lr": rate, "name": name} for name, parameters, rate in parts if rate > 0]
    groups = [group for group in groups if group["params"]]
    match stage.optimiser:
        case Optimiser.ADAM:
            return torch.optim.Adam(groups, weight_decay=stage.weight_decay)
        case Optimiser.ADAMW:
            return torch.optim.AdamW(groups, weight_decay=stage.weight_decay)
        case Optimiser.SGD:
            return torch.optim.SGD(groups, weight_decay=stage.weight_decay, momentum=SGD_MOMENTUM)


def make_schedule(optimiser: torch.optim.Optimizer, stage: Stage, *, steps: int) -> LRScheduler:
    """Return what changes the rates after each of the ``steps`` of a stage."""
    match stage.schedule:
        case Schedule.CONSTANT:
            return LambdaLR(optimiser, lambda _: 1.0)
        case Schedule.COSINE:
            return CosineAnnealingLR(optimiser, T_max=steps)
        case Schedule.ONE_CYCLE:
            highest = [float(group["lr"]) for group in optimiser.param_groups]
            return OneCycleLR(optimiser, highest, total_steps=steps, pct_start=WARM_UP)


def rates_of(optimiser: torch.optim.Optimizer) -> dict[str, float]:
    """Return the present rate of each part, 0 for one that does not learn."""
    rates = {str(group["name"]): float(group["lr"]) for group in optimiser.param_groups}
    return {part: rates.get(part, 0.0) for part in (HEAD, BACKBONE)}


class Precision:
    """Half precision where the device computes faster in it: bfloat16, or float16 with scaled losses."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._form, self._is_used = _half_form(device)
        self.scaler = GradScaler(device, enabled=self._is_used and self._form is torch.float16)

    def autocast(self) -> torch.autocast:
        """Return the context in which a network runs forward."""
        return torch.autocast(self.device, self._form, enabled=self._is_used)

    def step(self, loss: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
        """Follow the gradient of a loss by one step."""
        optimiser.zero_grad()
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(optimiser)
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
        self.scaler.step(optimiser)
        self.scaler.update()


class Average:
    """An exponential moving average of a network's weights: less noisy than those of the last step."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network, self._decay, self._steps = network, decay, 0
        learnt = {id(parameter) for parameter in network.parameters() if parameter.requires_grad}
        buffers = {id(buffer) for buffer in network.buffers() if buffer.is_floating_point()}
        state = network.state_dict(keep_vars=True)
        self._live = {name: tensor for name, tensor in state.items() if id(tensor) in learnt | buffers}
        self._mean = {name: tensor.detach().clone() for name, tensor in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step. The first steps count more, else the start would count for too long."""
        self._steps += 1
        share = 1.0 - min(self._decay, self._steps / (self._steps + 10.0))
        for name, mean in self._mean.items():
            mean.lerp_(self._live[name], share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averaged weights into the network for a while."""
        live = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        self.put_in_place()
        try:
            yield
        finally:
            _copy(live, self._live)

    def put_in_place(self) -> None:
        """Put the averaged weights into the network for good."""
        _copy(self._mean, self._live)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        return {"steps": self._steps, "mean": self._mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._steps = int(state["steps"])
        _copy(state["mean"], self._mean)


def mix(pictures: torch.Tensor, strength: float) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Lay each picture over another of its batch; return pictures, the rows of the others, and their share.

    Mixup of Zhang et al., 2018: one share for the batch, drawn from Beta(strength, strength).
    """
    others = torch.randperm(len(pictures))
    share = float(torch.distributions.Beta(strength, strength).sample())
    return torch.lerp(pictures, pictures[others.to(pictures.device)], share), others, share


def choose_device() -> str:
    """Return the GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _half_form(device: str) -> tuple[torch.dtype, bool]:
    if device == "cuda":
        return (torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16), True
    # On a processor that has bfloat16 it takes a quarter off the time of a step.
    return torch.bfloat16, bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@torch.no_grad()
def _copy(source: dict[str, torch.Tensor], target: dict[str, torch.Tensor]) -> None:
    for name, tensor in target.items():
        tensor.copy_(source[name])
