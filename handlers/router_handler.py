"""The router's worker: the conditional edge that a TorchServe workflow lacks.

TorchServe batches it continuously: a request for which no reply is given comes again with the
next batch, so that deferred pictures wait for zero-shot while confident ones pass. Why not its
asynchronous workers: docs/decisions/router.md.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from fishgate import wire
from fishgate.errors import FishgateError
from fishgate.list_folder import ListFolder
from fishgate.spool import Spool
from fishgate.telemetry import Metric
from handlers.adaptors import settings, torchserve
from handlers.adaptors.crossing import Crossing, Result
from handlers.adaptors.inference_client import InferenceClient


class RouterHandler:
    """TorchServe makes one of these a worker, calls ``initialize`` once and ``handle`` in a loop."""

    def initialize(self, context: torchserve.Context) -> None:
        """Read the settings; the connection is made with the first deferred picture."""
        with torchserve.loading("router"):
            self._settings = settings.read_settings(context.model_yaml_config, settings.RouterSettings)
            self._meter = torchserve.TorchServeMeter(context)
            key_file = os.environ.get("FISHGATE_KEY_FILE")
            client = InferenceClient(
                os.environ.get("FISHGATE_INFERENCE_URL", "http://127.0.0.1:8080"),
                Path(key_file) if key_file else None,
                in_flight=self._settings.zero_shot_in_flight,
            )
            spool = Spool(torchserve.spool_folder())
            lists = ListFolder(torchserve.lists_folder())
            self._crossing = Crossing(client, spool, self._meter, lists, limit_s=self._settings.zero_shot_limit_s)

    def handle(self, rows: list[dict[str, wire.Field]], context: torchserve.Context) -> list[bytes]:
        """Answer those rows for which there is an answer after ``least_ms``; never raises.

        Its wait is at once the least time before a reply and the pace of the loop.
        """
        started_s = time.perf_counter()
        ids = [context.request_ids[index] for index in range(len(rows))]
        for request_id, row in zip(ids, rows, strict=True):
            self._crossing.enter(request_id, torchserve.body(row))
        time.sleep(torchserve.rest_ms(started_s, self._settings.least_ms) / 1000.0)
        results = self._crossing.leave(ids, wait_s=self._settings.least_ms / 1000.0)
        return [self._reply(context, index, results.get(request_id)) for index, request_id in enumerate(ids)]

    def _reply(self, context: torchserve.Context, index: int, result: Result | None) -> bytes:
        if result is None:
            torchserve.withhold_reply(context, index)
            return b""
        torchserve.set_reply(context, index, result, status_counts=False)
        self._measure(result)
        return wire.reply(result)

    def _measure(self, result: Result) -> None:
        if isinstance(result, FishgateError):
            self._meter.count(Metric.IDENTIFICATIONS, source="none", outcome="error")
            return
        outcome = "degraded" if result.degraded else "low_confidence" if result.low_confidence else "accepted"
        self._meter.count(Metric.IDENTIFICATIONS, source=result.source.value, outcome=outcome)
        rank = result.rank.value if result.rank else "none" if result.label is None else "unknown"
        self._meter.count(Metric.RANKS, rank=rank)
        if result.deferred:
            self._meter.count(Metric.DEFERRALS)
