"""Where deferred pictures wait while confident ones pass.

Owns the event loop in which zero-shot is asked, in a thread of its own, and the pictures under
way in it, each under TorchServe's id of its request. It decides nothing; ``fishgate.cascade`` does.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import FIRST_COMPLETED, Future, wait

from fishgate import wire
from fishgate.answer import Answer, Opinion
from fishgate.cascade import settle
from fishgate.errors import FishgateError, InternalError
from fishgate.list_folder import ListFolder
from fishgate.options import options_from_fields
from fishgate.spool import Spool
from fishgate.telemetry import Meter, Stage, timed
from handlers.adaptors.inference_client import InferenceClient

_log = logging.getLogger(__name__)

Result = Answer | FishgateError


class Crossing:
    """All pictures of one router worker that have been handed over and not yet been answered."""

    def __init__(
        self, client: InferenceClient, spool: Spool, meter: Meter, lists: ListFolder, *, limit_s: float
    ) -> None:
        self._client = client
        self._spool = spool
        self._meter = meter
        self._lists = lists
        self._limit_s = limit_s
        self._under_way: dict[str, Future[Result]] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="crossing", daemon=True).start()

    def enter(self, request_id: str, body: bytes) -> None:
        """Let a picture in; one that is under way already goes on undisturbed."""
        if request_id not in self._under_way:
            self._under_way[request_id] = asyncio.run_coroutine_threadsafe(self._result(body), self._loop)

    def leave(self, request_ids: list[str], *, wait_s: float) -> dict[str, Result]:
        """Return what has come of these requests after at most ``wait_s`` seconds, and forget them.

        It returns as soon as there is something to tell. ``request_ids`` are all that TorchServe
        still holds open; what else is under way here was given up there, and is given up here.
        """
        for given_up in self._under_way.keys() - set(request_ids):
            self._under_way.pop(given_up).cancel()
        futures = [self._under_way[request_id] for request_id in request_ids]
        wait(futures, timeout=wait_s, return_when=FIRST_COMPLETED)
        done = [request_id for request_id in request_ids if self._under_way[request_id].done()]
        return {request_id: self._under_way.pop(request_id).result() for request_id in done}

    async def _result(self, body: bytes) -> Result:
        try:
            return await self._settled(wire.hand_over_from_json(body))
        except FishgateError as error:
            return error
        except Exception:  # a raised error would fail every picture of the batch
            _log.exception("the router could not settle a picture")
            return InternalError("the router failed on this picture; the operator finds the cause in the log")

    async def _settled(self, hand_over: wire.HandOver) -> Answer:
        options = options_from_fields(hand_over.options)

        async def ask_zero_shot() -> Opinion:
            if hand_over.picture is None:
                raise InternalError("the expert handed over no picture")
            with timed(self._meter, "router", Stage.ZERO_SHOT_CALL):
                return await self._client.ask("zero_shot", self._spool.get(hand_over.picture), options)

        try:
            return await settle(
                hand_over.opinion,
                options,
                ask_zero_shot=ask_zero_shot,
                limit_s=self._limit_s,
                members=self._lists.members(options),
            )
        finally:
            if hand_over.picture is not None:
                self._spool.remove(hand_over.picture)
