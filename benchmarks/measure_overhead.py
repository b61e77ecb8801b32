"""What ``benchmarks/overhead`` does: the workflow and the bare loop of its expert, in turn."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.bare import BareLoop, run_bare
from benchmarks.deployments import serving, workflow_url
from benchmarks.load import send_many
from benchmarks.outcome import Figure, MeasurementError, Outcome, say
from benchmarks.pictures import photographs, write_all
from benchmarks.random_models import Sources, build_store, write_expert
from benchmarks.scrape import batches_between, mean_size, scrape_batches
from server.management import TorchServe

TARGET = 0.95
DIFFERENT_PICTURES = 64


def measure(options: argparse.Namespace) -> Outcome:
    """Run the rounds in turn; the median of the rounds' ratios is the figure."""
    with tempfile.TemporaryDirectory(prefix="fishgate-") as scratch:
        folder = Path(scratch)
        pictures = photographs(min(options.pictures, DIFFERENT_PICTURES))
        write_all(pictures, folder / "pictures")
        write_expert(folder / "expert", options.architecture)
        loop = BareLoop("expert", folder / "expert", folder / "pictures", options.batch_size, count=options.pictures)
        sources = Sources(folder / "expert", None)
        with serving(lambda store: build_store(store, sources, device="cpu", batch_size=options.batch_size)) as server:
            _workflow_per_second(server, options, pictures, count=4 * options.clients)
            before = scrape_batches(server.settings.metrics_url, "expert")
            rounds = [_round(server, options, pictures, loop) for _ in range(options.rounds)]
            sizes = batches_between(before, scrape_batches(server.settings.metrics_url, "expert"))
    return _outcome(rounds, sizes, pictures)


def _round(
    server: TorchServe, options: argparse.Namespace, pictures: list[bytes], loop: BareLoop
) -> tuple[float, float]:
    bare = run_bare(loop)
    workflow = _workflow_per_second(server, options, pictures, count=options.pictures)
    say(f"bare {bare:.2f}, workflow {workflow:.2f} pictures a second: {workflow / bare:.3f}")
    return bare, workflow


def _workflow_per_second(
    server: TorchServe, options: argparse.Namespace, pictures: list[bytes], *, count: int
) -> float:
    run = asyncio.run(
        send_many(
            workflow_url(server),
            server.token("inference"),
            count=count,
            clients=options.clients,
            picture_for=lambda index: pictures[index % len(pictures)],
        )
    )
    if run.lost:
        raise MeasurementError(f"{len(run.lost)} pictures were not answered: {run.lost[0].failure}")
    if any(sample.is_flagged("deferred") for sample in run.samples):
        raise MeasurementError("pictures were deferred, although the gate stands at 0")
    return run.steady_per_second(skip=options.clients)


def _outcome(rounds: list[tuple[float, float]], sizes: dict[int, int], pictures: list[bytes]) -> Outcome:
    ratios = [workflow / bare for bare, workflow in rounds]
    ratio = median(ratios)
    figures: dict[str, Figure] = {
        "ratio": ratio,
        "lowest": min(ratios),
        "highest": max(ratios),
        "bare_per_second": median(bare for bare, _ in rounds),
        "workflow_per_second": median(workflow for _, workflow in rounds),
        "mean_batch": mean_size(sizes),
        "rounds": len(rounds),
    }
    details = {
        "rounds": [{"bare": bare, "workflow": workflow} for bare, workflow in rounds],
        "batches_by_size": sizes,
        "mean_picture_bytes": round(sum(map(len, pictures)) / len(pictures)),
    }
    return Outcome("overhead", f"ratio ≥ {TARGET}", ratio >= TARGET, figures, details)
