"""``POST /v1/identify``: one picture, one answer.

Owns the order: read, wait for a place, ask the engine, and stop if the client goes.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from fishgate.wire import reply
from gateway.exchange import current
from gateway.http.asking import deadline_s, read_asked
from gateway.http.hanging_up import NoticingHangUp
from gateway.http.replies import Json
from gateway.service import Service


async def identify(request: Request, service: Service) -> Response:
    """Tell which fish is in a picture; raises FishgateError, or HungUp if the client goes."""
    exchange = current()
    places = service.entrance.places
    places.check()  # before a body is read that nobody has time for
    deadline_s(request, service.settings)  # or one with a wrong deadline
    with places.memory() as holding:
        asked = await read_asked(request, service.settings, holding)
        limit_s = deadline_s(request, service.settings)
        async with NoticingHangUp(request.receive):
            answer = await service.identify(
                asked, deadline_s=limit_s, request_id=exchange.request_id, trace=exchange.trace
            )
    exchange.answered(answer)
    return Json(reply(answer))
