"""The command line: what may be given, and what it means. Knows no server and loads nothing heavy."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from fishgate_client.command.taxa import RANKS

DESCRIPTION = """Identify the fish in pictures.

A PICTURE is a file, a folder (searched with all folders below it), a pattern such as 'reef/**/*.jpg', or - for a list
of paths on standard input. With --out, results are kept and a run that was interrupted goes on where it stopped:
start it again with the same arguments.

Exit status: 0 all identified, 1 some failed or the run was stopped, 2 it could not start, 130 interrupted."""


def build_parser(program: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog=program, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_pictures(parser)
    _add_options(parser)
    _add_output(parser)
    _add_server(parser)
    return parser


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; ends the program with status 2 and a message if it makes no sense."""
    options = parser.parse_intermixed_args(_with_label_files(arguments))
    if not options.pictures and not options.list:
        hint = "; put -- between the labels and the pictures" if options.labels else ""
        parser.error(f"no picture was named{hint}")
    if options.labels and options.labels_file:
        parser.error("--labels and --labels-file were given; both name the candidates")
    if options.again and not options.out:
        parser.error("--again begins the results of --out anew; there is no --out")
    options.labels = _labels(parser, options)
    return options


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help="file, folder, pattern, or - (see above)")
    parser.add_argument("--list", action="append", type=Path, default=[], metavar="FILE", help="a path on each line")
    parser.add_argument("-0", "--null", action="store_true", help="paths in lists and on stdin end with a zero byte")


def _add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is asked")
    group.add_argument("--top-k", type=int, metavar="N", help="how many candidates an answer names (5)")
    group.add_argument("--threshold", type=float, metavar="T", help="certainty from which the expert is believed")
    group.add_argument("--labels", nargs="+", metavar="NAME", help="your own candidate names, or @FILE or FILE.txt")
    group.add_argument("--labels-file", type=Path, metavar="FILE", help="your own candidate names, one on each line")
    group.add_argument("--species-list", metavar="NAME", help="a list of candidates that the server holds")
    group.add_argument(
        "--rank", choices=RANKS, help="count and show answers at this rank, where the server tells it (as answered)"
    )
    group.add_argument(
        "--min-confidence", type=_fraction, default=0.0, metavar="C", help="below it an answer is unsure, 0 to 1 (0)"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what comes of it")
    group.add_argument("--json", action="store_true", help="one answer or error a line, in the order given")
    group.add_argument("--out", type=Path, metavar="FILE", help="results, as they come: .csv, .jsonl or .parquet")
    group.add_argument("--again", action="store_true", help="begin --out anew; what is there becomes FILE.old")
    group.add_argument("--sheet", type=Path, metavar="FILE", help="a contact sheet in HTML, unsure pictures first")


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("who is asked")
    group.add_argument("--url", default=os.environ.get("FISHGATE_URL"), help="the server's address ($FISHGATE_URL)")
    group.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="a file with the API key, or TorchServe's key_file.json; otherwise the key is $FISHGATE_KEY",
    )
    group.add_argument("--torchserve", action="store_true", help="ask TorchServe's workflow, not the gateway")
    group.add_argument("--at-once", type=_count, metavar="N", help="how many pictures may be under way (128)")
    group.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="how long one try may take (60)")


def _with_label_files(arguments: Sequence[str]) -> list[str]:
    """Turn ``--labels FILE`` into ``--labels-file FILE``, so that what follows is taken for pictures."""
    given = list(arguments)
    for place, argument in enumerate(given[:-1]):
        if argument == "--":
            break
        if argument == "--labels" and _is_label_file(given[place + 1]):
            given[place : place + 2] = ["--labels-file", given[place + 1].removeprefix("@")]
    return given


def _is_label_file(value: str) -> bool:
    return value.startswith("@") or (value.lower().endswith(".txt") and Path(value).is_file())


def _labels(parser: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[str, ...] | None:
    if options.labels_file is None:
        return tuple(options.labels) if options.labels else None
    try:
        lines = options.labels_file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"the labels in {options.labels_file} cannot be read: {error}")
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        parser.error(f"there is no name in {options.labels_file}")
    return names


def _fraction(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"wanted is a number from 0 to 1, got {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"wanted is a number from 1, got {text}")
    return value
