"""What ``benchmarks/species_lists`` does: batches with a long list and with the card's labels, in turn."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch

from benchmarks.outcome import Figure, MeasurementError, Outcome, say
from benchmarks.random_models import TINY_CLIP, VIT_L_14, write_zero_shot
from fishgate.answer import opinion_from
from fishgate.device import choose_device, share_cores
from fishgate.list_embeddings import write_embeddings
from fishgate.list_folder import ListFolder
from fishgate.model_card import Kind, ModelCard, read_card
from fishgate.preprocessing import Pixels
from fishgate.species_list import Row, SpeciesList, read_list, write_list
from fishgate.zero_shot import ZeroShot, load_zero_shot
from server.bootstrap import ROOT

TARGET = 1.05
TOP_K = 5
_FAMILIES, _GENERA = 500, 5000  # about as many as 20,000 species of fish have


def measure(options: argparse.Namespace) -> Outcome:
    """Run the rounds in turn; the ratio of the medians is the figure."""
    if options.device == "gpu" and not torch.cuda.is_available():
        raise MeasurementError("there is no GPU here that torch can use; try --device cpu")
    share_cores(1)
    with tempfile.TemporaryDirectory(prefix="fishgate-") as scratch:
        model, species = _loaded(Path(scratch), options)
        pictures = _pictures(model.card, options.batch_size)
        for candidates in (None, species):
            _batch_seconds(model, pictures, candidates)
        rounds = [_round(model, pictures, species) for _ in range(options.rounds)]
    return outcome_from(rounds, is_judged=options.pack == "random" and not options.tiny)


def outcome_from(rounds: Sequence[tuple[float, float]], *, is_judged: bool) -> Outcome:
    """Tell the seconds of batches with the card's labels and with the long list, and their ratio."""
    card_s, list_s = (median(seconds) for seconds in zip(*rounds, strict=True))
    ratio = list_s / card_s
    figures: dict[str, Figure] = {
        "ratio": ratio,
        "card_ms": card_s * 1000.0,
        "list_ms": list_s * 1000.0,
        "added_ms": (list_s - card_s) * 1000.0,
        "rounds": len(rounds),
    }
    details = {"rounds": [{"card_s": card, "list_s": listed} for card, listed in rounds]}
    target = f"ratio < {TARGET}" if is_judged else f"ratio < {TARGET} is for ViT-L/14; told as it is"
    return Outcome("species_lists", target, ratio < TARGET if is_judged else None, figures, details)


def _loaded(folder: Path, options: argparse.Namespace) -> tuple[ZeroShot, SpeciesList]:
    pack = ROOT / "models" / "zero_shot" / "demo"
    if options.pack == "random":
        say("writing a network with random weights")
        pack = folder / "model"
        write_zero_shot(pack, TINY_CLIP if options.tiny else VIT_L_14)
    lists = folder / "lists"
    _write_long_list(lists, read_card(pack, kind=Kind.ZERO_SHOT), options.names)
    say(f"loading the model and a list of {options.names} names")
    held = ListFolder(lists)
    model = load_zero_shot(pack, choose_device(0 if options.device == "gpu" else None), held)
    species = next(iter(held))
    _ = species.lineages  # as the worker does before its first picture
    return model, species


def _write_long_list(folder: Path, card: ModelCard, names: int) -> None:
    folder.mkdir()
    rows = [
        Row(
            f"fish {index}",
            f"Genus{index % _GENERA} epithet{index}",
            "species",
            family=f"Family{index % _FAMILIES}",
            order=f"Order{index % 60}",
        )
        for index in range(names)
    ]
    write_list(folder / "long.csv", rows)
    random = np.random.default_rng(1).standard_normal((names, card.architecture.config["embed_dim"]), dtype=np.float32)
    embeddings = (random / np.linalg.norm(random, axis=1, keepdims=True)).astype(np.float16)
    write_embeddings(folder, read_list(folder / "long.csv"), card, embeddings)


def _pictures(card: ModelCard, count: int) -> list[Pixels]:
    shape = (count, card.preprocessing.height_px, card.preprocessing.width_px, 3)
    return list(np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8))


def _round(model: ZeroShot, pictures: list[Pixels], species: SpeciesList) -> tuple[float, float]:
    card_s, list_s = _batch_seconds(model, pictures, None), _batch_seconds(model, pictures, species)
    say(f"card's labels {card_s:.3f} s, long list {list_s:.3f} s a batch")
    return card_s, list_s


def _batch_seconds(model: ZeroShot, pictures: list[Pixels], candidates: SpeciesList | None) -> float:
    """Return the seconds of what the worker does with decoded pictures, opinions included."""
    started_s = time.perf_counter()
    taxa = model.taxa_for(candidates)
    lineages = candidates.lineages if candidates else None
    for probabilities in model.predict(pictures, [candidates] * len(pictures)):
        opinion_from(probabilities, taxa, model.card, top_k=TOP_K, lineages=lineages)
    return time.perf_counter() - started_s
