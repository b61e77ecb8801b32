"""The keys of a recipe that only models of pictures and names have.

Owns the records; ``training.recipe`` says where in a recipe they stand. It knows no heavy library.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator, model_validator

from fishgate.record import Record


class ClipModel(Record):
    """An open_clip model: the ``pack`` folder of one, or its ``name`` there with its weights.

    Those are the ``pretrained`` ones that open_clip fetches, or a ``checkpoint`` file; a name that
    begins with hf-hub: brings its own.
    """

    name: str | None = None
    pretrained: str | None = None
    checkpoint: Path | None = None
    pack: Path | None = None

    @model_validator(mode="after")
    def _is_one_model(self) -> ClipModel:
        weights = [given for given in (self.pretrained, self.checkpoint) if given]
        if (self.name is None) == (self.pack is None) or (self.pack and weights):
            raise ValueError("give either 'pack' alone, or 'name' with its weights")
        if self.name and len(weights) != (0 if self.name.startswith("hf-hub:") else 1):
            raise ValueError("a name needs one of 'pretrained' and 'checkpoint'; one that begins with hf-hub: neither")
        return self


class PlainPrompts(Record):
    """How a class is written for the zero-shot baseline; ``{}`` stands for its name."""

    templates: tuple[str, ...] = Field(default=("a photo of a {}.",), min_length=1)

    @field_validator("templates")
    @classmethod
    def _have_a_place(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        without = [template for template in templates if "{}" not in template]
        if without:
            raise ValueError(f"{without[0]!r} has no {{}} where the name goes")
        return templates


class Probe(Record):
    """The training of a linear head on features: AdamW, the rate falling to nothing along half a cosine."""

    epochs: PositiveInt = 100
    rate: float = Field(default=1e-3, gt=0.0)
    weight_decay: NonNegativeFloat = 0.01
    batch: PositiveInt = 256


class Matching(Record):
    """The part of a CLIP that matches pictures and names: the length of both embeddings, the share of the
    picture's features that is dropped in training, and the size of the text tower."""

    embedding: PositiveInt = 128
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    text_width: PositiveInt = 96
    text_heads: PositiveInt = 4
    text_layers: PositiveInt = 2
