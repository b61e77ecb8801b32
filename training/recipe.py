"""What a recipe says: the records of the TOML file that a training follows.

Owns the keys, their types and their defaults. How the file is read is said by
``training.recipe_file``; what a key does, by the module that it steers. It knows no heavy library,
so that a misspelt recipe is refused at once.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, field_validator, model_validator

from fishgate.model_card import Library
from fishgate.preprocessing import Denoising, Interpolation, Preprocessing, ResizeMode
from fishgate.record import Record

PROJECT = Path(__file__).resolve().parent.parent
"""The folder that relative paths of a recipe start from."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

RANDOM, IMAGENET = "random", "imagenet"
START_FORMS = f"{RANDOM}, {IMAGENET}, file:PATH.safetensors, package:NAME or pack:FOLDER"

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
    """A network of a comparison; ``size_px`` replaces the picture's."""

    size_px: PositiveInt | None = None


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
    gate: GateStudy | None = None


class ComparisonRecipe(TrainingRecipe):
    """Several networks learn the same; the best by validation becomes an expert."""

    kind: Literal["comparison"]
    networks: tuple[ComparedNetwork, ...] = Field(min_length=1)
    gate: GateStudy | None = None


class ClipModel(Record):
    """An open_clip model by its names there, or the ``pack`` folder of one."""

    name: str | None = None
    pretrained: str | None = None
    pack: Path | None = None


class PlainPrompts(Record):
    """How a class is written for the zero-shot baseline; ``{}`` stands for its name."""

    templates: tuple[str, ...] = ("a photo of a {}.",)


class Probe(Record):
    """The training of a linear head on features."""

    epochs: PositiveInt = 100
    rate: float = Field(default=1e-3, gt=0.0)
    weight_decay: NonNegativeFloat = 0.0
    batch: PositiveInt = 256


class LinearProbeRecipe(CommonRecipe):
    """A linear head on the frozen image encoder of a CLIP model, beside its zero-shot baseline."""

    kind: Literal["linear_probe"]
    model: ClipModel
    prompts: PlainPrompts = PlainPrompts()
    probe: Probe = Probe()


class ZeroShotRecipe(TrainingRecipe):
    """The demo's zero-shot model: a CLIP whose image tower starts from an expert's pack."""

    kind: Literal["zero_shot"]
    network: Network
    species: Path


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
