"""The bare batched loop: what a model does when nothing but the model runs.

It computes as the handler does (decoding in a pool of as many threads, then one forward pass), in
a process of its own, without server, queue or network. ``run_bare`` starts that process; run as a
module, this file is it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.outcome import MeasurementError
from server.bootstrap import ROOT


@dataclass(frozen=True)
class BareLoop:
    """What the loop runs; ``share_cores_with`` as in the worker's settings.

    It measures at least ``count`` pictures and at least ``seconds``.
    """

    kind: str
    model: Path
    pictures: Path
    batch_size: int
    device: str = "cpu"
    share_cores_with: int = 1
    count: int = 1
    seconds: float = 0.0


def run_bare(loop: BareLoop, *, limit_s: float = 900.0) -> float:
    """Run the loop in a process of its own; return pictures a second."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in vars(loop).items()]
    command = [sys.executable, "-m", "benchmarks.bare", *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=limit_s, check=True)
    except subprocess.SubprocessError as error:
        raise MeasurementError(f"the bare loop failed ({type(error).__name__})") from error
    return float(json.loads(done.stdout.splitlines()[-1])["per_second"])


def loop_per_second(step: Callable[[Sequence[bytes]], object], pictures: Sequence[bytes], loop: BareLoop) -> float:
    """Run ``step`` on batch after batch, the first three uncounted; return pictures a second."""
    batches = [
        [pictures[(start + offset) % len(pictures)] for offset in range(loop.batch_size)]
        for start in range(0, max(loop.batch_size, len(pictures)), loop.batch_size)
    ]
    for number in range(3):
        step(batches[number % len(batches)])
    done, started_s = 0, time.perf_counter()
    while done < loop.count or time.perf_counter() - started_s < loop.seconds:
        step(batches[done // loop.batch_size % len(batches)])
        done += loop.batch_size
    return done / (time.perf_counter() - started_s)


def model_step(loop: BareLoop) -> Callable[[Sequence[bytes]], object]:
    """Load the model and return what one batch of picture bytes goes through."""
    from fishgate.device import choose_device, share_cores
    from fishgate.expert import load_expert
    from fishgate.images import open_picture
    from fishgate.preprocessing import Pixels, to_pixels
    from fishgate.zero_shot import load_zero_shot

    executor = ThreadPoolExecutor(share_cores(loop.share_cores_with))
    device = choose_device(0 if loop.device == "gpu" else None)
    if loop.kind == "expert":
        expert = load_expert(loop.model, device)
        preprocessing, predict = expert.card.preprocessing, expert.predict
    else:
        zero_shot = load_zero_shot(loop.model, device)
        preprocessing = zero_shot.card.preprocessing

        def predict(batch: Sequence[Pixels]) -> list[object]:  # type: ignore[misc]
            return list(zero_shot.predict(batch, [None] * len(batch)))

    def prepared(picture: bytes) -> Pixels:
        return to_pixels(open_picture(picture, needed_px=preprocessing.needed_px), preprocessing)

    return lambda batch: predict(list(executor.map(prepared, batch)))


def main() -> None:
    """Run the loop that the arguments describe and print its figure as JSON."""
    from benchmarks.pictures import read_all

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", required=True, choices=("expert", "zero_shot"))
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--pictures", required=True, type=Path)
    parser.add_argument("--batch-size", required=True, type=int)
    parser.add_argument("--device", default="cpu", choices=("cpu", "gpu"))
    parser.add_argument("--share-cores-with", type=int, default=1)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0)
    loop = BareLoop(**vars(parser.parse_args()))
    print(json.dumps({"per_second": loop_per_second(model_step(loop), read_all(loop.pictures), loop)}))


if __name__ == "__main__":
    main()
