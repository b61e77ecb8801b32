"""TorchServe's inference service, answered by the whole cascade.

Owns the three methods and their order of steps. Both kinds of prediction take their message as a stream of one: on
the wire that is the same, but gRPC then reads it only when it is asked to, and who may not come in is told before.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, cast

import grpc
from google.protobuf.empty_pb2 import Empty

from fishgate.wire import reply
from gateway.errors import BadRequest, RequestTimeout
from gateway.exchange import Exchange
from gateway.rpc.accounting import Accounting, Context
from gateway.rpc.caller import Caller, caller_from
from gateway.rpc.generated.inference_pb2 import (
    DESCRIPTOR,
    PredictionResponse,
    PredictionsRequest,
    TorchServeHealthResponse,
)
from gateway.rpc.requests import request_from
from gateway.service import Service

NAME: str = DESCRIPTOR.services_by_name["InferenceAPIsService"].full_name
MAX_MESSAGE_BYTES = 30_000_000
"""As TorchServe itself takes: it lets our own limit for a picture answer with its own message."""


class InferenceService:
    """The methods. To be used inside one running event loop."""

    def __init__(self, service: Service, accounting: Accounting) -> None:
        self._service = service
        self._accounting = accounting
        # What is being read counts as memory, too: each may be as large as any.
        self._reading = asyncio.Semaphore(max(1, service.settings.picture_bytes_at_once // MAX_MESSAGE_BYTES))

    def handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """Return the methods by name, as ``grpc.Server`` wants them."""
        reads, writes = PredictionsRequest.FromString, PredictionResponse.SerializeToString
        return {
            "Ping": grpc.unary_unary_rpc_method_handler(
                self.ping, Empty.FromString, TorchServeHealthResponse.SerializeToString
            ),
            "Predictions": grpc.stream_unary_rpc_method_handler(self.predictions, reads, writes),
            "StreamPredictions": grpc.stream_stream_rpc_method_handler(self.stream_predictions, reads, writes),
        }

    async def ping(self, message: Empty, context: Context) -> TorchServeHealthResponse:
        """Say whether pictures really go through both models, in TorchServe's words."""
        async with self._accounting.call(f"/{NAME}/Ping", _caller(context), context):
            word = "Healthy" if self._service.readiness.is_ready else "Unhealthy"
            return TorchServeHealthResponse(health=json.dumps({"status": word}, indent=2))

    async def predictions(self, messages: object, context: Context) -> PredictionResponse:
        """Answer one picture."""
        return await self._predicted("Predictions", context)

    async def stream_predictions(self, messages: object, context: Context) -> None:
        """Answer one picture; the stream has one reply."""
        await context.write(await self._predicted("StreamPredictions", context))

    async def _predicted(self, method: str, context: Context) -> PredictionResponse:
        caller = _caller(context)
        async with self._accounting.call(f"/{NAME}/{method}", caller, context) as exchange:
            body = await self._answer(caller, context, exchange)
            exchange.bytes_out = len(body)
            return PredictionResponse(prediction=body)

    async def _answer(self, caller: Caller, context: Context, exchange: Exchange) -> bytes:
        """Let the caller in, read the message and return the answer's JSON; raises FishgateError."""
        places = self._service.entrance.places
        with self._service.entrance.request(caller.secret) as exchange.key:
            places.check()
            with places.memory() as holding:
                message = await self._read(context)
                exchange.bytes_in = message.ByteSize()
                holding.add(exchange.bytes_in)
                asked = request_from(message)
                answer = await self._service.identify(
                    asked, deadline_s=self._deadline_s(context), request_id=exchange.request_id, trace=exchange.trace
                )
        exchange.answered(answer)
        return reply(answer)

    async def _read(self, context: Context) -> PredictionsRequest:
        limit_s = self._service.settings.body_limit_s
        try:
            message = await asyncio.wait_for(self._read_in_turn(context), limit_s)
        except asyncio.TimeoutError:
            raise RequestTimeout(f"the message did not come within {limit_s:g} s") from None
        if message is grpc.aio.EOF:
            raise BadRequest(f"the call has no message, or one of more than {MAX_MESSAGE_BYTES:,} bytes")
        return cast(PredictionsRequest, message)

    async def _read_in_turn(self, context: Context) -> object:
        async with self._reading:
            return await context.read()

    def _deadline_s(self, context: Context) -> float:
        """Return when the answer must be there, as a time of ``time.monotonic()``: the client may ask for less time."""
        left_s, own_s = context.time_remaining(), self._service.settings.deadline_s
        return time.monotonic() + (own_s if left_s is None else min(own_s, left_s))


def _caller(context: Context) -> Caller:
    return caller_from(context.invocation_metadata() or (), context.peer())
