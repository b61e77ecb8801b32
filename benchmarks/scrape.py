"""How full the dynamic batches were, read from the server's own metrics port."""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests

from benchmarks.outcome import MeasurementError
from fishgate.telemetry import Metric

_LINE = re.compile(rf"^{Metric.BATCHES.value}\{{(?P<labels>[^}}]*)\}}\s+(?P<value>\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def scrape_batches(metrics_url: str, model: str) -> dict[int, int]:
    """Return how many batches of each size a model has computed since the server started."""
    try:
        reply = requests.get(metrics_url, timeout=30)
        reply.raise_for_status()
    except requests.RequestException as error:
        raise MeasurementError(f"the metrics port does not answer ({type(error).__name__})") from error
    return batches_from(reply.text, model)


def batches_from(text: str, model: str) -> dict[int, int]:
    """Read a model's batches from the Prometheus text."""
    found: dict[int, int] = {}
    for line in _LINE.finditer(text):
        labels = dict(_LABEL.findall(line["labels"]))
        if labels.get("model") == model:
            size = int(labels["size"])
            found[size] = found.get(size, 0) + round(float(line["value"]))
    return dict(sorted(found.items()))


def batches_between(before: Mapping[int, int], after: Mapping[int, int]) -> dict[int, int]:
    """Return the batches that came between two readings."""
    grown = {size: count - before.get(size, 0) for size, count in after.items()}
    return {size: count for size, count in grown.items() if count}


def mean_size(sizes: Mapping[int, int]) -> float:
    """Return the mean number of pictures in a batch; 0 if there was none."""
    batches = sum(sizes.values())
    return sum(size * count for size, count in sizes.items()) / batches if batches else 0.0


def full_fraction(sizes: Mapping[int, int], batch_size: int) -> float:
    """Return which part of the batches was full; 0 if there was none."""
    batches = sum(sizes.values())
    return sizes.get(batch_size, 0) / batches if batches else 0.0
