"""How long, on what picture sizes and at what rates a network trains.

Owns the three stages that expert and zero-shot share, and the preprocessing that fits them.
"""

from __future__ import annotations

from dataclasses import dataclass

from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode
from training.stages import Stage

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

SMALL_FRACTION = 0.6
"""Most is learnt on pictures of this fraction of the serving size, at a third of the time."""

LARGE_FRACTION = 0.8
"""Crops show a fish larger than the whole picture does; at this fraction it is equally large in
training and in serving."""

_STEP_PX = 16  # sizes are multiples of it, so that the network's halvings leave little over


@dataclass(frozen=True)
class Rates:
    """The highest learning rates of the three stages, and the pictures in a step that they are for.

    The head learns alone in the first stage, and faster than the backbone in the others.
    """

    head: tuple[float, float, float]
    backbone: tuple[float, float]
    batch: int


@dataclass(frozen=True)
class Schedule:
    """What the command line says of the course of the training."""

    head_epochs: int
    small_epochs: int
    epochs: int
    size_px: int
    seed: int

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing in training and in serving: squashed, for a fish often fills its picture to the ends."""
        return Preprocessing(
            width_px=self.size_px,
            height_px=self.size_px,
            resize_mode=ResizeMode.SQUASH,
            interpolation=Interpolation.BILINEAR,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
        )

    def stages(self, rates: Rates) -> tuple[Stage, ...]:
        """Return the stages: the head alone, the whole on small pictures, the whole on large ones."""
        small_px, large_px = self._scaled_px(SMALL_FRACTION), self._scaled_px(LARGE_FRACTION)
        stages = (
            Stage("head", self.head_epochs, small_px, rates.head[0], 0.0, rates.batch),
            Stage("whole, small", self.small_epochs, small_px, rates.head[1], rates.backbone[0], rates.batch),
            Stage("whole, large", self.epochs, large_px, rates.head[2], rates.backbone[1], rates.batch),
        )
        return tuple(stage for stage in stages if stage.epochs)

    def _scaled_px(self, fraction: float) -> int:
        return int(self.size_px * fraction) // _STEP_PX * _STEP_PX
