"""Bring the species lists of a pack and of an operator into one folder for the server.

``scripts/serve`` runs this as a process of its own, for it may load the model: ``python -m
packs.prepare_lists --pack FOLDER --lists FOLDER --target FOLDER``.
"""

from __future__ import annotations

import argparse
import sys
from functools import cache
from pathlib import Path

from fishgate.errors import FishgateError
from fishgate.model_card import Kind, ModelCard, read_card
from packs.list_store import LISTS_FOLDER, Compute, lay_out, list_sources


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, required=True, help="the folder of the zero-shot pack")
    parser.add_argument("--lists", type=Path, required=True, help="the operator's folder of lists")
    parser.add_argument("--target", type=Path, required=True, help="the folder that the server reads")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="what to compute on (cpu)")
    options = parser.parse_args()
    try:
        prepare(options.pack, options.lists, options.target, device=options.device)
    except (FishgateError, OSError) as error:
        say(" ".join(str(error).split()))
        return 1
    return 0


def prepare(pack: Path, lists: Path, target: Path, *, device: str) -> None:
    """Lay all lists into ``target``; raise ListError or another LoadError if one cannot be served."""
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    lay_out(list_sources([pack / LISTS_FOLDER, lists]), target, card, compute=_computing(card, pack, device), say=say)


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(f"fishgate: {text}", file=sys.stderr, flush=True)


def _computing(card: ModelCard, pack: Path, device: str) -> Compute:
    """Return what computes the embeddings of a list."""

    @cache
    def computer() -> Compute:
        # Imported and loaded for the first list without embeddings: at most starts there is none.
        from fishgate.device import choose_device
        from packs.embeddings import list_computer

        return list_computer(card, pack, choose_device(0 if device == "gpu" else None))

    return lambda species: computer()(species)


if __name__ == "__main__":
    sys.exit(main())
