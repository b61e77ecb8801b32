"""What the Dockerfile would put into an image, unpacked from this repository without a container engine.

Owns the reading of Dockerfile and .dockerignore. What is installed by its RUN lines is not here: the environment that
the tests run in stands in for it.
"""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Template

from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser

from tests.conftest import ROOT

DOCKERFILE = ROOT / "Dockerfile"
BASE_PATH = "/usr/local/bin:/usr/bin:/bin"
"""PATH as the base image has it."""


@dataclass(frozen=True)
class Line:
    """One instruction of the Dockerfile, such as COPY, and what stands behind it."""

    word: str
    value: str


def stages() -> list[list[Line]]:
    """All stages, each beginning with its FROM."""
    with DOCKERFILE.open("rb") as file:
        lines = [Line(part["instruction"], part["value"]) for part in DockerfileParser(fileobj=file).structure]
    found: list[list[Line]] = []
    for line in lines:
        if line.word == "FROM":
            found.append([])
        if found and line.word != "COMMENT":
            found[-1].append(line)
    return found


def values(word: str) -> list[str]:
    """What stands behind this instruction in the last stage, in order."""
    return [line.value for line in stages()[-1] if line.word == word]


def command() -> list[str]:
    return list(json.loads(values("CMD")[-1]))


def health_command() -> list[str]:
    return list(json.loads(values("HEALTHCHECK")[-1].split("CMD", 1)[1]))


def environment() -> dict[str, str]:
    pairs = (pair.split("=", 1) for value in values("ENV") for pair in shlex.split(value))
    return {name: Template(value).safe_substitute(PATH=BASE_PATH) for name, value in pairs}


def sent() -> set[str]:
    """The files that .dockerignore lets through, relative to the repository."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    return {path for path in exclude_paths(str(ROOT), patterns) if (ROOT / path).is_file()} - {
        "Dockerfile",  # the library always sends these two
        ".dockerignore",
    }


def copied() -> dict[str, str]:
    """Each file that the last stage copies from the repository, and where to, relative to WORKDIR."""
    found: dict[str, str] = {}
    for value in values("COPY"):
        if not value.startswith("--from"):
            *sources, target = value.split()
            for source in sources:
                found |= _copied(source, target)
    return found


def unpack(folder: Path) -> None:
    """Lay what is copied into ``folder``, as the image has it in WORKDIR."""
    for source, target in copied().items():
        place = folder / target
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, place)


def _copied(source: str, target: str) -> dict[str, str]:
    if (ROOT / source).is_dir():
        below = {path: PurePosixPath(path).relative_to(source) for path in sent() if path.startswith(f"{source}/")}
        return {path: str(PurePosixPath(target) / inner) for path, inner in below.items()}
    assert source in sent(), f".dockerignore keeps {source} away, which the Dockerfile copies"
    return {source: str(PurePosixPath(target) / Path(source).name if target.endswith("/") else PurePosixPath(target))}
