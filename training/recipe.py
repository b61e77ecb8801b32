"""What a recipe says: the records of the TOML file that a training follows.

Owns the keys, their types and their defaults. How the file is read is said by
``training.recipe_file``; what a key does, by the module that it steers. It knows no heavy library,
so that a misspelt recipe is refused at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from fishgate.record import Record
from training.clip_settings import ClipModel, Matching, PlainPrompts, Probe
from training.data_settings import Background, Balance, Data, Picture
from training.network_settings import ComparedNetwork, Network
from training.stage_settings import EarlyStopping, Optimiser, Schedule, Share, Stage, Strength

__all__ = [
    "KINDS",
    "PROJECT",
    "Background",
    "Balance",
    "Card",
    "ClassifierRecipe",
    "CommonRecipe",
    "ComparedNetwork",
    "ComparisonRecipe",
    "Data",
    "EarlyStopping",
    "GateStudy",
    "LinearProbeRecipe",
    "Network",
    "Optimiser",
    "OutlierExposure",
    "Output",
    "Picture",
    "Recipe",
    "Schedule",
    "Stage",
    "Strength",
    "TrainingRecipe",
    "ZeroShotRecipe",
    "project_path",
]

PROJECT = Path(__file__).resolve().parent.parent
"""The folder that relative paths of a recipe start from."""


class GateStudy(Record):
    """The promise of the gate, and the domains that it must defer.

    ``known_outliers`` are subjects of those domains that a class fits all the same: no reason to defer them.
    """

    risk: float = Field(default=0.02, gt=0.0, lt=1.0)
    confidence: float = Field(default=0.95, gt=0.0, lt=1.0)
    outliers: tuple[str, ...] = ()
    known_outliers: tuple[str, ...] = ()


class OutlierExposure(Record):
    """Pictures of no class in training (``training.exposure``): which, how many a step, and their loss's weight.

    ``share`` of the groups of these ``domains`` are shown, none of ``unseen_sources``.
    """

    domains: tuple[str, ...] = Field(min_length=1)
    unseen_sources: tuple[str, ...] = ()
    share: Share = 0.6
    batch: PositiveInt = 8
    weight: float = Field(default=0.3, gt=0.0)


class Card(Record):
    """What the model card tells people beyond the figures."""

    limits: str = "Not stated by the recipe; see metrics for what it does on photographs that it was not trained on."
    licence: str = "Not stated by the recipe: clear the rights of the start weights and of the photographs."


class Output(Record):
    """Where the finished pack is put besides the run folder."""

    pack: Path | None = None


class CommonRecipe(Record):
    """What all kinds of recipe have. ``threads`` is the number of cores to compute on, 0 for all."""

    name: str = Field(pattern=r"^[\w.-]+$")
    version: str = Field(default="1", min_length=1)
    seed: int = 7
    threads: NonNegativeInt = 0
    data: Data
    output: Output = Output()
    card: Card = Card()


class TrainingRecipe(CommonRecipe):
    """What all kinds of recipe that train in stages have."""

    picture: Picture
    balance: Balance | None = None
    background: Background | None = None
    augmentation: Strength = Strength()
    stages: tuple[Stage, ...] = Field(min_length=1)
    early_stopping: EarlyStopping | None = None

    @model_validator(mode="after")
    def _can_stop_early(self) -> TrainingRecipe:
        if self.early_stopping and not self.data.validation:
            raise ValueError("early_stopping needs data.validation above 0")
        return self


class ClassifierRecipe(TrainingRecipe):
    """One network becomes an expert."""

    kind: Literal["classifier"]
    network: Network
    outlier_exposure: OutlierExposure | None = None
    gate: GateStudy = GateStudy()


class ComparisonRecipe(TrainingRecipe):
    """Several networks learn the same; the best by validation becomes an expert."""

    kind: Literal["comparison"]
    networks: tuple[ComparedNetwork, ...] = Field(min_length=1)
    gate: GateStudy = GateStudy()

    @field_validator("networks")
    @classmethod
    def _are_told_apart(cls, networks: tuple[ComparedNetwork, ...]) -> tuple[ComparedNetwork, ...]:
        names = [network.shown for network in networks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two networks are called {twice[0]!r}; give one a label")
        return networks

    def of(self, network: ComparedNetwork) -> ClassifierRecipe:
        """Return the recipe that trains one of the networks like all the others."""
        picture = {"size_px": network.size_px, "denoising": network.denoising}
        changed = {name: value for name, value in picture.items() if value is not None}
        shared = {name: getattr(self, name) for name in TrainingRecipe.model_fields}
        return ClassifierRecipe(
            kind="classifier",
            network=Network(**{name: getattr(network, name) for name in Network.model_fields}),
            gate=self.gate,
            **shared | {"name": network.shown, "picture": self.picture.model_copy(update=changed)},
        )


class LinearProbeRecipe(CommonRecipe):
    """A linear head on the frozen image encoder of a CLIP model, beside its zero-shot baseline.

    ``picture`` replaces the model's own preprocessing. ``cache`` is where features are kept.
    """

    kind: Literal["linear_probe"]
    model: ClipModel
    picture: Picture | None = None
    prompts: PlainPrompts = PlainPrompts()
    probe: Probe = Probe()
    cache: Path = Path("runs/features")


class ZeroShotRecipe(TrainingRecipe):
    """The demo's zero-shot model: a CLIP whose image tower starts as ``network`` says.

    ``species`` lists all fish. ``expert`` is the pack that defers to it. Of the answers at or above its
    floor at most ``max_wrong`` are wrong, on photographs that the expert defers.
    """

    kind: Literal["zero_shot"]
    network: Network
    matching: Matching = Matching()
    species: Path
    expert: Path
    max_wrong: float = Field(default=0.2, gt=0.0, lt=1.0)


Recipe = ClassifierRecipe | ComparisonRecipe | LinearProbeRecipe | ZeroShotRecipe

KINDS: dict[str, type[Recipe]] = {
    "classifier": ClassifierRecipe,
    "comparison": ComparisonRecipe,
    "linear_probe": LinearProbeRecipe,
    "zero_shot": ZeroShotRecipe,
}


def project_path(path: Path) -> Path:
    """Return a path of a recipe as seen from anywhere."""
    return PROJECT / path
