"""The keys of a recipe that name a network and its start weights.

Owns the records; ``training.recipe`` says where in a recipe they stand. It knows no heavy library.
"""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from fishgate.model_card import Library
from fishgate.preprocessing import Denoising
from fishgate.record import Record

RANDOM, IMAGENET = "random", "imagenet"
START_FORMS = f"{RANDOM}, {IMAGENET}, file:PATH.safetensors, package:NAME or pack:FOLDER"


class Network(Record):
    """Which network is trained, what it starts from, and how many of its first layers stay as they are."""

    library: Library
    name: str = Field(min_length=1)
    start: str = RANDOM
    frozen_layers: NonNegativeInt = 0

    @field_validator("start")
    @classmethod
    def _is_a_start(cls, start: str) -> str:
        form, _, rest = start.partition(":")
        if start in (RANDOM, IMAGENET) or (form in ("file", "package", "pack") and rest):
            return start
        raise ValueError(f"must be {START_FORMS}")


class ComparedNetwork(Network):
    """A network of a comparison: what it is called there, and what replaces the picture's settings for it."""

    label: str = Field(default="", pattern=r"^[\w.-]*$")
    size_px: PositiveInt | None = None
    denoising: Denoising | None = None

    @property
    def shown(self) -> str:
        """What it is called: its label, or the library's name without one."""
        return self.label or self.name
