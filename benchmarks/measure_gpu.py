"""What ``benchmarks/gpu`` does: both networks by batch size and number of clients, and bare."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import yaml

from benchmarks.bare import BareLoop, run_bare
from benchmarks.crowd import Crowd
from benchmarks.deployments import serving, workflow_url
from benchmarks.outcome import Figure, MeasurementError, Outcome, say
from benchmarks.pictures import photographs, write_all
from benchmarks.random_models import TINY_CLIP, VIT_L_14, Sources, build_store, write_expert, write_zero_shot
from benchmarks.scrape import batches_between, full_fraction, mean_size, scrape_batches
from server.bootstrap import ROOT
from server.management import TorchServe

MODELS = ("expert", "zero_shot")
WARM_UP_S = 2.0


@dataclass(frozen=True)
class Point:
    """One measurement: a model at a batch size, asked by a number of clients; ``ratio`` to bare."""

    model: str
    batch_size: int
    clients: int
    per_second: float
    ratio: float
    p50_ms: float
    p99_ms: float
    lost: int
    mean_batch: float
    full_batches: float
    batches_by_size: dict[int, int]


def measure(options: argparse.Namespace) -> Outcome:
    """Measure the grid of batch sizes and clients, one server for each batch size."""
    if options.device == "gpu" and not torch.cuda.is_available():
        raise MeasurementError("there is no GPU here that torch can use; try --device cpu --tiny")
    with tempfile.TemporaryDirectory(prefix="fishgate-") as scratch:
        sources = _written(Path(scratch), options)
        pictures = photographs(options.pictures)
        write_all(pictures, Path(scratch) / "pictures")
        bare: dict[tuple[str, int], float] = {}
        points: list[Point] = []
        with Crowd(options.processes, pictures) as crowd:
            for batch_size in options.batch_sizes:
                bare |= _bare(sources, Path(scratch) / "pictures", options, batch_size)
                points += _grid(sources, crowd, options, batch_size, bare)
    _show(points, bare)
    return outcome_from(points, bare)


def outcome_from(points: list[Point], bare: dict[tuple[str, int], float]) -> Outcome:
    """Tell of each model where it answered most pictures a second."""
    figures: dict[str, Figure] = {}
    for model in MODELS:
        best = max((point for point in points if point.model == model), key=lambda point: point.per_second)
        figures |= {
            f"{model}_per_second": best.per_second,
            f"{model}_bare": bare[model, best.batch_size],
            f"{model}_ratio": best.ratio,
            f"{model}_p50_ms": best.p50_ms,
            f"{model}_p99_ms": best.p99_ms,
            f"{model}_at": f"{best.batch_size}x{best.clients}",
            f"{model}_mean_batch": best.mean_batch,
        }
    figures["lost"] = sum(point.lost for point in points)
    details = {
        "points": [asdict(point) for point in points],
        "bare": [{"model": model, "batch_size": size, "per_second": rate} for (model, size), rate in bare.items()],
    }
    return Outcome("gpu", "none set: told as it is", None, figures, details)


def _written(folder: Path, options: argparse.Namespace) -> Sources:
    say("writing networks with random weights")
    write_expert(folder / "expert", "mobilenet_v3_small" if options.tiny else "convnext_tiny")
    write_zero_shot(folder / "zero_shot", TINY_CLIP if options.tiny else VIT_L_14)
    return Sources(folder / "expert", folder / "zero_shot")


def _bare(
    sources: Sources, pictures: Path, options: argparse.Namespace, batch_size: int
) -> dict[tuple[str, int], float]:
    found = {}
    for model in MODELS:
        folder = getattr(sources, model)
        loop = BareLoop(
            model,
            folder,
            pictures,
            batch_size,
            device=options.device,
            share_cores_with=_share(model, options.device),
            seconds=options.seconds,
        )
        found[model, batch_size] = run_bare(loop)
        say(f"bare loop, {model}, batch size {batch_size}: {found[model, batch_size]:.1f} pictures a second")
    return found


def _share(model: str, device: str) -> int:
    """Return with how many others the worker shares the cores, so that the bare loop takes no more."""
    config = yaml.safe_load((ROOT / "models" / model / f"model-config.{device}.yaml").read_text())
    return int(config["fishgate"]["share_cores_with"])


def _grid(
    sources: Sources, crowd: Crowd, options: argparse.Namespace, batch_size: int, bare: dict[tuple[str, int], float]
) -> Iterator[Point]:
    def build(store: Path) -> None:
        build_store(store, sources, device=options.device, batch_size=batch_size)

    with serving(build, device=options.device) as server:
        for model in MODELS:
            _asked(server, crowd, model, clients=max(options.clients), seconds=min(WARM_UP_S, options.seconds))
            for clients in options.clients:
                yield _asked(
                    server,
                    crowd,
                    model,
                    clients=clients,
                    seconds=options.seconds,
                    batch_size=batch_size,
                    bare=bare[model, batch_size],
                )


def _asked(
    server: TorchServe,
    crowd: Crowd,
    model: str,
    *,
    clients: int,
    seconds: float,
    batch_size: int = 1,
    bare: float = 1.0,
) -> Point:
    url, answer_key = workflow_url(server), "label"
    if model == "zero_shot":
        url, answer_key = f"{server.settings.url}/predictions/zero_shot", "candidates"
    before = scrape_batches(server.settings.metrics_url, model)
    run = crowd.send(url, server.token("inference"), clients=clients, seconds=seconds, answer_key=answer_key)
    sizes = batches_between(before, scrape_batches(server.settings.metrics_url, model))
    if len(run.lost) == len(run.samples):
        raise MeasurementError(f"{model} answered nothing: {run.lost[0].failure if run.lost else 'no time'}")
    p50_ms, p99_ms = run.percentiles_ms(50, 99)
    per_second = (len(run.samples) - len(run.lost)) / run.seconds
    return Point(
        model,
        batch_size,
        clients,
        per_second,
        per_second / bare,
        p50_ms,
        p99_ms,
        len(run.lost),
        mean_size(sizes),
        full_fraction(sizes, batch_size),
        sizes,
    )


def _show(points: list[Point], bare: dict[tuple[str, int], float]) -> None:
    lines = ["model      batch clients   per s   bare/s  ratio   p50 ms   p99 ms  lost  mean batch  full"]
    lines += [
        f"{one.model:<10} {one.batch_size:>5} {one.clients:>7} {one.per_second:>7.1f} "
        f"{bare[one.model, one.batch_size]:>8.1f} {one.ratio:>6.3f} {one.p50_ms:>8.1f} {one.p99_ms:>8.1f} "
        f"{one.lost:>5} {one.mean_batch:>11.1f} {one.full_batches:>5.0%}"
        for one in points
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)
