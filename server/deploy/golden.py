"""The golden set: a few pictures with the answers that a version must give before anybody is sent to it.

Owns the form of ``golden.json``, where it is looked for, and what counts as right. It asks nobody itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.bootstrap import ROOT
from server.deploy.errors import DeployError

GOLDEN_FILE = "golden.json"
DRAWN = ROOT / "samples" / GOLDEN_FILE

Ask = Callable[[bytes], dict[str, Any]]
"""Sends a picture to one version of a model, and returns its opinion or its error."""


@dataclass(frozen=True)
class GoldenPicture:
    """A picture and the labels that are right, by model; of a model without labels any opinion is."""

    file: Path
    labels: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class GoldenSet:
    """Pictures of which at least the share ``least_right``, 0.0 to 1.0, must be answered right."""

    file: Path
    pictures: tuple[GoldenPicture, ...]
    least_right: float = 1.0

    def check(self, model: str, ask: Ask) -> str:
        """Return how it went, in words; raise DeployError if too few are right, or one is not answered at all."""
        wrong = [words for picture in self.pictures if (words := _wrong(picture, model, ask))]
        right = len(self.pictures) - len(wrong)
        if right < self.least_right * len(self.pictures):
            raise DeployError(
                f"{model} does not pass the golden set {self.file}: right are {right} of {len(self.pictures)} "
                f"pictures, wanted is a share of {self.least_right:g}; {'; '.join(wrong[:3])}"
            )
        return f"{model} gives {right} of {len(self.pictures)} answers of {self.file.name} right"


def golden_file(given: Path | None, pack: Path | None) -> Path:
    """Return the golden set to go by: the given file or its folder; else that of the pack; else the drawn one."""
    if given is not None:
        return given / GOLDEN_FILE if given.is_dir() else given
    own = pack / GOLDEN_FILE if pack else DRAWN
    return own if own.is_file() else DRAWN


def read_golden(path: Path, *, pack: str) -> GoldenSet:
    """Read a golden set; raise DeployError if it is wrong or has no pictures.

    ``for_packs`` in it names the packs whose labels these are; of another pack it is only seen that it answers.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        unknown = set(value) - {"about", "for_packs", "least_right", "pictures"}
        if unknown:
            raise ValueError(f"unknown key {sorted(unknown)[0]!r}")
        knows = pack in value.get("for_packs", [pack])
        pictures = tuple(_read_picture(path.parent, one, knows=knows) for one in value["pictures"])
        golden = GoldenSet(path, pictures, float(value.get("least_right", 1.0)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeployError(f"the golden set {path} cannot be used: {error!r}") from None
    if not golden.pictures or not 0.0 <= golden.least_right <= 1.0:
        raise DeployError(f"the golden set {path} cannot be used: it needs pictures, and least_right from 0 to 1")
    return golden


def _read_picture(folder: Path, value: dict[str, Any], *, knows: bool) -> GoldenPicture:
    file = folder / value["file"]
    if not file.is_file():
        raise ValueError(f"there is no picture {value['file']!r} beside it")
    labels: dict[str, tuple[str, ...]] = {
        model: tuple(value[model]) for model in ("expert", "zero_shot") if model in value
    }
    unknown = set(value) - {"file", *labels}
    if unknown or any(isinstance(value[model], str) for model in labels):
        raise ValueError("a picture has a file, and lists of labels under expert and zero_shot")
    return GoldenPicture(file, labels if knows else {})


def _wrong(picture: GoldenPicture, model: str, ask: Ask) -> str | None:
    """Return what is wrong with the answer; None if nothing is. Raises DeployError if it is an error."""
    reply = ask(picture.file.read_bytes())
    if "candidates" not in reply:
        raise DeployError(f"{model} does not answer {picture.file.name}: {reply.get('error', reply)}")
    label, wanted = reply["candidates"][0]["label"], picture.labels.get(model)
    if wanted is None or label in wanted:
        return None
    return f"{picture.file.name} is {label!r} to it, and should be {' or '.join(wanted)}"
