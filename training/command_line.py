"""The options of the training command.

Owns parsing only, without heavy libraries, so that --help is instant.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NEWEST = Path("newest")
"""What --resume means without a folder."""


@dataclass(frozen=True)
class Options:
    """What the command line of training/run says."""

    recipe: Path | None
    resume: Path | None
    output: Path | None
    overrides: tuple[str, ...]


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line; end the program with a message if it makes no sense."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.recipe is None and given.resume in (None, NEWEST):
        parser.error("give a recipe, or the folder of a run with --resume")
    if given.output and given.resume:
        parser.error("--output names a new folder, --resume one that is there: give one of them")
    return Options(given.recipe, given.resume, given.output, tuple(given.set))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Do what a recipe says: train, measure, certify, report. All of it goes into one run folder.",
        epilog="example: training/run training/recipes/demo_expert.toml --set stages.1.epochs=2",
    )
    parser.add_argument("recipe", type=Path, nargs="?", help="TOML file, see training/recipes")
    parser.add_argument(
        "--resume",
        type=Path,
        nargs="?",
        const=NEWEST,
        metavar="FOLDER",
        help="go on with the run in this folder, or with the recipe's newest; what is trained is only measured again",
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="the run's folder (default: runs/NAME-DATE-TIME)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of the recipe, as stages.0.epochs=2; may be given again",
    )
    return parser
