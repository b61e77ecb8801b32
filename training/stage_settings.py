"""The keys of a recipe that say how a network learns: its stages, and the changes of its pictures.

Owns the records; ``training.recipe`` says where in a recipe they stand. It knows no heavy library.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from fishgate.record import Record

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Optimiser(str, Enum):
    """How the weights follow the gradient."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"


class Schedule(str, Enum):
    """How the rates change from step to step of a stage."""

    CONSTANT = "constant"
    COSINE = "cosine"  # down to nothing along half a cosine
    ONE_CYCLE = "one_cycle"  # up in the first fifth, then down


class Strength(Record):
    """How strong the random changes of training pictures are; chances and fractions from 0 to 1.

    Strong colours and blur stand for other cameras, water and light: photographs of another
    origin are where a plainly trained network fails first.
    """

    least_area: float = Field(default=0.3, gt=0.0, le=1.0)  # of the picture that a crop shows
    aspect: float = Field(default=4 / 3, ge=1.0)  # widest change of the ratio of width to height
    turn_degrees: NonNegativeFloat = 15.0
    light: Share = 0.4  # widest change of brightness, contrast and saturation
    tint: Share = 0.15  # widest change of one colour channel, as of a wrong white balance
    grey_chance: Share = 0.1
    blur_chance: Share = 0.2
    erase_chance: Share = 0.3


class Stage(Record):
    """One stage: passes over the pictures, their size, and the highest rate of each part.

    A ``backbone_rate`` of 0 leaves the backbone as it is. ``size_px`` is that of the training crops,
    the picture's if it is not given. ``average`` is the decay of an average of the weights over the steps.
    """

    name: str
    epochs: NonNegativeInt
    size_px: PositiveInt | None = None
    batch: PositiveInt = 32
    optimiser: Optimiser = Optimiser.ADAMW
    weight_decay: NonNegativeFloat = 0.0
    head_rate: NonNegativeFloat = 1e-3
    backbone_rate: NonNegativeFloat = 0.0
    schedule: Schedule = Schedule.CONSTANT
    label_smoothing: Fraction = 0.0
    mixup: NonNegativeFloat = 0.0
    average: Fraction = 0.0

    @model_validator(mode="after")
    def _learns(self) -> Stage:
        if self.head_rate == self.backbone_rate == 0:
            raise ValueError("one of head_rate and backbone_rate must be above 0")
        return self


class EarlyStopping(Record):
    """A stage ends after this many passes without a lower validation loss; the best weights are kept."""

    patience: PositiveInt = 3
