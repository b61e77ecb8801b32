"""TorchServe's context, read and written in one place.

Owns what is peculiar to TorchServe 0.12: how a request's fields and headers arrive, how a
workflow's request differs from a direct one, how metrics and reply headers are handed over.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fishgate.errors import FishgateError
from fishgate.telemetry import Metric
from fishgate.wire import Field

Context = Any
"""``ts.context.Context``; named here only, so that tests need no TorchServe."""

_DIRECT_MARKS = frozenset({"explain", "url_path"})
"""TorchServe adds these headers to the requests of its predictions API, but not to those of a
workflow; a client can send them, but cannot take them away. See docs/decisions/hand-over.md."""


class TorchServeMeter:
    """Hands metrics to TorchServe, which shows them on its metrics port.

    Each must be declared in ``metrics.yaml``, its labels in the order given there.
    """

    def __init__(self, context: Context) -> None:
        # Imported here: tests of everything else run without TorchServe.
        from ts.metrics.metric_type_enum import MetricTypes

        self._metrics = context.metrics
        self._counter, self._gauge, self._histogram = MetricTypes.COUNTER, MetricTypes.GAUGE, MetricTypes.HISTOGRAM

    def count(self, metric: Metric, amount: int = 1, **labels: str) -> None:
        """Add to a counter."""
        self._metrics.get_metric(metric.value, self._counter).add_or_update(amount, list(labels.values()))

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Put a value into a histogram."""
        self._metrics.get_metric(metric.value, self._histogram).add_or_update(round(value, 6), list(labels.values()))

    def show(self, metric: Metric, value: float) -> None:
        """Set a gauge."""
        self._metrics.get_metric(metric.value, self._gauge).add_or_update(value, [])


def show_own_log() -> None:
    """Send Fishgate's warnings and errors to stderr, which TorchServe's log shows at our level.

    TorchServe sends everything else that a worker logs to stdout, and counts it as chatter.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    for name in ("fishgate", "handlers"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.handlers = [handler]


@contextmanager
def loading(model: str) -> Iterator[None]:
    """Say in one line of the log why a model is not loaded; the error goes on and stops the worker."""
    show_own_log()
    try:
        yield
    except FishgateError as error:
        logging.getLogger(__name__).error("%s is not served: %s", model, error)
        raise


def model_folder(context: Context) -> Path:
    """Return the folder into which TorchServe unpacked the archive."""
    return Path(context.system_properties["model_dir"])


def gpu_id(context: Context) -> int | None:
    """Return the number of the GPU that TorchServe assigned to this worker, or None."""
    value = context.system_properties.get("gpu_id")
    return None if value is None else int(value)


def spool_folder() -> Path:
    """Return the folder for waiting pictures: in the temporary folder that all workers share."""
    return Path(tempfile.gettempdir()) / "fishgate-spool"


def lists_folder() -> Path | None:
    """Return the folder of the species lists that ``scripts/serve`` prepared, or None."""
    path = os.environ.get("FISHGATE_SPECIES_LISTS")
    return Path(path) if path else None


def body(row: dict[str, Field]) -> bytes:
    """Return what the node before this one replied; nothing if somebody asked this one directly with a form."""
    value = row.get("body", b"")
    return value.encode() if isinstance(value, str) else bytes(value)


def withhold_reply(context: Context, index: int) -> None:
    """Give no reply to this request in this round of a continuous batch.

    TorchServe writes replies for the ids that stand here; a request without one stays with the
    worker and comes again with the next batch.
    """
    del context.request_ids[index]


def is_from_workflow(context: Context, index: int) -> bool:
    """Tell whether the request came through the workflow; gRPC requests carry no headers at all."""
    names = {name.lower() for name in context.get_all_request_header(index)}
    return "host" in names and not names & _DIRECT_MARKS


def set_reply(context: Context, index: int, result: object, *, status_counts: bool) -> None:
    """Set the content type, and the HTTP status if the reply goes straight to a client."""
    context.set_response_content_type(index, "application/json")
    if status_counts and isinstance(result, FishgateError):
        context.set_response_status(code=result.status, phrase=result.code, idx=index)


def rest_ms(started_s: float, least_ms: float) -> float:
    """Return how many milliseconds are left of the least time since ``started_s`` (perf_counter)."""
    return max(0.0, least_ms - (time.perf_counter() - started_s) * 1000.0)
