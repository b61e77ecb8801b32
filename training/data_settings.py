"""The keys of a recipe that say what a network learns from: photographs, classes, pictures.

Owns the records; ``training.recipe`` says where in a recipe they stand. It knows no heavy library.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from fishgate.preprocessing import Denoising, Interpolation, Preprocessing, ResizeMode
from fishgate.record import Record
from training.stage_settings import Fraction, Share

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Data(Record):
    """Which photographs there are, and how their groups are shared out.

    Exactly one of ``manifest`` (a CSV file) and ``folders`` (train/val/test/<class>) is given. ``sources``
    are trained on, all if empty; other sources of the same classes are for testing only. ``classes`` limits
    what is learnt, all if empty. The fractions are of the groups of a class; the rest trains.
    """

    manifest: Path | None = None
    folders: Path | None = None
    sources: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    taxonomy: Path | None = None
    validation: Fraction = 0.1
    calibration: Fraction = 0.15
    test: Fraction = 0.15
    folds: NonNegativeInt = 0

    @model_validator(mode="after")
    def _is_possible(self) -> Data:
        if (self.manifest is None) == (self.folders is None):
            raise ValueError("exactly one of 'manifest' and 'folders' must be given")
        if self.validation + self.calibration + self.test >= 1.0:
            raise ValueError("validation, calibration and test together must leave something to train on")
        if self.folds == 1:
            raise ValueError("folds must be 0 (none) or at least 2")
        return self


class Picture(Record):
    """The picture that a network sees in serving."""

    size_px: int = Field(ge=16, le=1024)
    resize_mode: ResizeMode = ResizeMode.SQUASH
    interpolation: Interpolation = Interpolation.BILINEAR
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    denoising: Denoising | None = None

    def preprocessing(self, size_px: int | None = None) -> Preprocessing:
        """Return the preprocessing of a model card; ``size_px`` replaces the recipe's."""
        side_px = size_px or self.size_px
        return Preprocessing(
            width_px=side_px,
            height_px=side_px,
            resize_mode=self.resize_mode,
            interpolation=self.interpolation,
            mean=self.mean,
            std=self.std,
            denoising=self.denoising,
        )


class Balance(Record):
    """The least and the most pictures of a class in a pass."""

    least: PositiveInt = 250
    most: PositiveInt = 500

    @model_validator(mode="after")
    def _is_ordered(self) -> Balance:
        if self.least > self.most:
            raise ValueError(f"least must not be above most ({self.most})")
        return self


class Background(Record):
    """On which share of the training pictures the background is removed, and by which rembg session."""

    fraction: Share = 0.25
    session: str = "u2net"
