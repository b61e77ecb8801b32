"""The router's worker: the conditional edge that a TorchServe workflow lacks.

It runs asynchronously: while one picture waits for zero-shot, confident ones pass by.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path

from fishgate import wire
from fishgate.answer import Answer, Opinion
from fishgate.cascade import settle
from fishgate.errors import FishgateError, InternalError
from fishgate.telemetry import Metric, Stage, timed
from handlers.adaptors import settings, torchserve
from handlers.adaptors.inference_client import InferenceClient

_log = logging.getLogger(__name__)


class RouterHandler:
    """TorchServe makes one of these a worker and awaits ``handle`` for each picture on its own."""

    def initialize(self, context: torchserve.Context) -> None:
        """Read the settings; the connection is made with the first deferred picture."""
        self._settings = settings.read_settings(context.model_yaml_config, settings.RouterSettings)
        self._meter = torchserve.TorchServeMeter(context)
        key_file = os.environ.get("FISHGATE_KEY_FILE")
        self._client = InferenceClient(
            os.environ.get("FISHGATE_INFERENCE_URL", "http://127.0.0.1:8080"),
            Path(key_file) if key_file else None,
            in_flight=self._settings.zero_shot_in_flight,
        )

    async def handle(self, rows: list[dict[str, wire.Field]], context: torchserve.Context) -> list[bytes]:
        """Answer the one row of the batch with the JSON of an answer or an error; never raises.

        A raised error or a status other than 200 would fail every request in flight.
        """
        started_s = time.perf_counter()
        result = await self._guarded(rows[0])
        torchserve.set_reply(context, 0, result, status_counts=False)
        # Without this header the asynchronous worker would remember the picture for ever.
        context.set_response_header(0, "ts_stream_next", "false")
        self._measure(result)
        await asyncio.sleep(torchserve.rest_ms(started_s, self._settings.least_ms) / 1000.0)
        return [wire.reply(result)]

    async def _guarded(self, row: dict[str, wire.Field]) -> Answer | FishgateError:
        try:
            return await self._settled(wire.unpack_hand_over(bytes(row["body"])))  # type: ignore[arg-type]
        except FishgateError as error:
            return error
        except Exception:
            _log.exception("the router could not settle a picture")
            return InternalError("the router failed on this picture; the operator finds the cause in the log")

    async def _settled(self, hand_over: wire.HandOver) -> Answer:
        async def ask_zero_shot() -> Opinion:
            if hand_over.picture is None:
                raise InternalError("the expert handed over no picture")
            with timed(self._meter, "router", Stage.ZERO_SHOT_CALL):
                return await self._client.ask("zero_shot", hand_over.picture, hand_over.options)

        return await settle(
            hand_over.opinion, hand_over.options,
            ask_zero_shot=ask_zero_shot, limit_s=self._settings.zero_shot_limit_s,
        )

    def _measure(self, result: Answer | FishgateError) -> None:
        if isinstance(result, FishgateError):
            self._meter.count(Metric.IDENTIFICATIONS, source="none", outcome="error")
            return
        outcome = "degraded" if result.degraded else "low_confidence" if result.low_confidence else "accepted"
        self._meter.count(Metric.IDENTIFICATIONS, source=result.source.value, outcome=outcome)
        if result.deferred:
            self._meter.count(Metric.DEFERRALS)
