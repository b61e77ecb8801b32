"""The application behind the HTTP door: which address leads where, and through which layers.

Owns the table of routes and the order of the layers. What the routes do stands in ``gateway.http``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from fishgate import __version__
from fishgate.list_folder import ListFolder
from gateway.access_log import AccessLog
from gateway.errors import MethodNotAllowed, NotFound
from gateway.http.accounting import Accounting
from gateway.http.admission import Admission
from gateway.http.batch import identify_batch
from gateway.http.catalogue import CatalogueRoutes
from gateway.http.documentation import Documentation
from gateway.http.express import Express, direct
from gateway.http.health import HealthRoutes
from gateway.http.identify import identify
from gateway.http.page import FOLDER, PageFiles
from gateway.http.replies import error_response
from gateway.service import Service
from gateway.settings import Settings
from gateway.spans import Spans

Endpoint = Callable[[Request], Awaitable[Response]]
Route = tuple[str, str, Endpoint]

_EXPOSED = ("Retry-After", "Server-Timing", "traceparent", "X-Request-Id")
_ASKED_HEADERS = ("Authorization", "Content-Type", "traceparent", "X-API-Key", "X-Deadline-Ms", "X-Request-Id")


def make_app(service: Service, *, lists: ListFolder, log: AccessLog, spans: Spans) -> ASGIApp:
    """Return the application. ``lists`` are the species lists that a client may name."""
    layers = _layers(service, log, spans)
    app = FastAPI(
        title="Fishgate",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=layers,
        exception_handlers={HTTPException: _not_there},
    )
    documentation = Documentation(app, service.settings, lists)
    routes = _api(service, lists)
    for path, method, endpoint in routes:
        app.add_api_route(path, endpoint, methods=[method], **documentation.of(path))
    _add_undescribed(app, routes, documentation)
    return Express(app, path="/v1/identify", express=_in_layers(direct(routes[0][2]), layers))


def _api(service: Service, lists: ListFolder) -> list[Route]:
    async def one(request: Request) -> Response:
        return await identify(request, service)

    async def many(request: Request) -> Response:
        return await identify_batch(request, service)

    catalogue, health = CatalogueRoutes(service, lists), HealthRoutes(service)
    return [
        ("/v1/identify", "POST", one),
        ("/v1/identify/batch", "POST", many),
        ("/v1/models", "GET", catalogue.models),
        ("/v1/species", "GET", catalogue.species),
        ("/livez", "GET", health.live),
        ("/readyz", "GET", health.ready),
        ("/metrics", "GET", health.metrics),
    ]


def _add_undescribed(app: FastAPI, routes: Sequence[Route], documentation: Documentation) -> None:
    """Add what is for people, and what only machines ask."""
    files = PageFiles(directory=FOLDER)
    for path, _, endpoint in routes:
        if path in ("/livez", "/readyz"):  # some who watch over programs ask with HEAD
            app.add_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    app.add_route("/", files.index, methods=["GET"], include_in_schema=False)
    app.mount("/page", files)
    app.add_route("/docs", documentation.page, methods=["GET"], include_in_schema=False)
    app.add_route("/openapi.json", documentation.json, methods=["GET"], include_in_schema=False)


def _layers(service: Service, log: AccessLog, spans: Spans) -> list[Middleware]:
    """Return the layers, outermost first: an error has to pass the layer for foreign pages on its way out."""
    settings = service.settings
    return [
        Middleware(Accounting, draining=service.entrance.draining, metrics=service.metrics, log=log, spans=spans),
        *([_cors(settings)] if settings.cors_origins else []),
        Middleware(Admission, entrance=service.entrance, metrics_open=settings.metrics_open),
    ]


def _in_layers(app: ASGIApp, layers: Sequence[Middleware]) -> ASGIApp:
    for layer, arguments, named in reversed(layers):
        app = layer(app, *arguments, **named)
    return app


def _cors(settings: Settings) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=list(settings.cors_origins),
        allow_methods=["GET", "POST"],
        allow_headers=list(_ASKED_HEADERS),
        expose_headers=list(_EXPOSED),
        max_age=3600,
    )


async def _not_there(request: Request, error: Exception) -> Response:
    """Say in our own form that there is nothing, or not for this method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        told = f"{request.method[:20]} does nothing here; allowed: {allowed}"
        return error_response(MethodNotAllowed(told), {"Allow": allowed})
    return error_response(NotFound("there is nothing at this address; /docs tells what there is"))
