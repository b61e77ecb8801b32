"""Around each call: it gets its id and trace, ends up in log, figures and trace, and its error becomes a status.

Owns what ``gateway.http.accounting`` and ``gateway.http.admission`` own for HTTP, with the same record for both doors.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from fishgate.errors import FishgateError, InternalError, TimedOut
from gateway.access_log import AccessLog
from gateway.exchange import CURRENT, Exchange
from gateway.metrics import Metrics
from gateway.rpc.caller import REQUEST_ID_KEY, TRACE_KEY, Caller
from gateway.rpc.status import refusal
from gateway.spans import Spans

Context = grpc.aio.ServicerContext[Any, Any]

DOOR = "grpc"
HUNG_UP = 499
"""The status in the log of a call that its client gave up, as for HTTP."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Accounting:
    """Keeps account of every call of the inference service."""

    metrics: Metrics
    log: AccessLog
    spans: Spans

    @asynccontextmanager
    async def call(self, path: str, caller: Caller, context: Context) -> AsyncIterator[Exchange]:
        """Account for a call while the block works on it; a FishgateError ends the call with its status."""
        exchange = self._begin(path, caller)
        CURRENT.set(exchange)
        own = ((REQUEST_ID_KEY, exchange.request_id), (TRACE_KEY, str(exchange.trace)))
        refused: FishgateError | None = None
        try:
            context.set_trailing_metadata(own)
            yield exchange
            exchange.status = 200
        except asyncio.CancelledError:
            _note_end_from_outside(exchange, context)
            raise
        except FishgateError as error:
            refused = error
        except Exception as error:
            _log.exception("request %s failed", exchange.request_id)
            refused = InternalError(f"the gateway failed ({type(error).__name__})")
        finally:
            if refused is not None:
                exchange.failed(refused)
            self._end(exchange)
        if refused is not None:
            told = refusal(refused)
            await context.abort(told.code, told.details, (*own, *told.metadata))

    def _begin(self, path: str, caller: Caller) -> Exchange:
        return Exchange(
            door=DOOR,
            method="POST",
            path=path,
            route=path,
            request_id=caller.request_id,
            trace=self.spans.begin(path, caller.parent),
            parent=caller.parent,
            client=caller.address,
        )

    def _end(self, exchange: Exchange) -> None:
        self.metrics.request(
            route=exchange.route, source=exchange.source or "", code=exchange.code, seconds=exchange.seconds
        )
        self.log.line(exchange.facts())
        self.spans.end(exchange)


def _note_end_from_outside(exchange: Exchange, context: Context) -> None:
    """Tell a client whose deadline passed from one that gave up or went; gRPC has told it already."""
    left_s = context.time_remaining()
    if left_s is not None and left_s <= 0:
        exchange.failed(TimedOut("the client's deadline passed"))
    else:
        exchange.status, exchange.code = HUNG_UP, "hung_up"
