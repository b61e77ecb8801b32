"""The HTTP side: the contract of ``POST /v1/identify``, and nothing besides."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from benchmarks.peers.by_hand.cascade import Cascade
from fishgate.errors import FishgateError, ImageTooLarge
from fishgate.images import DEFAULT_LIMITS
from fishgate.options import options_from_fields
from fishgate.wire import reply

JSON = "application/json"


def make_app() -> FastAPI:
    """Return the application; the models run while it does."""
    cascade = Cascade()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        cascade.start()
        gc.collect()
        gc.freeze()  # as our gateway does: a full collection among torch's objects stops everything for 0.1 to 0.3 s
        yield
        await cascade.close()

    async def identify(request: Request) -> Response:
        try:
            options = options_from_fields(dict(request.query_params))
            answer = await cascade.identify(await _picture(request), options)
        except FishgateError as error:
            return Response(reply(error), error.status, media_type=JSON)
        return Response(reply(answer), media_type=JSON)

    async def readyz(request: Request) -> Response:
        return Response(b'{"status":"ready"}', media_type=JSON)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    # Plain routes: reading arguments from a signature is half of what FastAPI costs, and there are none.
    app.add_route("/v1/identify", identify, methods=["POST"])
    app.add_route("/readyz", readyz)
    return app


async def _picture(request: Request) -> bytes:
    """Read the body, no more of it than a picture may have."""
    parts, length = [], 0
    async for part in request.stream():
        parts.append(part)
        length += len(part)
        if length > DEFAULT_LIMITS.max_bytes:
            raise ImageTooLarge(f"the picture has more than the {DEFAULT_LIMITS.max_bytes:,} bytes that are allowed")
    return b"".join(parts)
