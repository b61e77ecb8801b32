"""The web page's files, at ``/`` and below ``/page/``.

Owns how they are served: only kinds of files that belong to a page, with their types, with a policy that lets
nothing run or load that is not ours. The page itself lies in ``gateway/page``.
"""

from __future__ import annotations

import os
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).resolve().parent.parent / "page"

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Not asked of the system, whose tables differ: a browser refuses a module that is called plain text."""

POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class PageFiles(StaticFiles):
    """The files of one folder; a path that leads out of it is not found."""

    async def index(self, request: Request) -> Response:
        """Return the page itself."""
        return await self.get_response("index.html", request.scope)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file; raises HTTPException for what is not there, and for other methods than these two."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        return await super().get_response(path, scope)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file of a known type, or nothing to a browser that has it already."""
        kind = TYPES.get(Path(full_path).suffix)
        if kind is None:
            raise HTTPException(404)
        response = super().file_response(full_path, stat_result, scope, status_code)
        if response.status_code == 200:
            response.headers["Content-Type"] = kind
        response.headers["Cache-Control"] = "no-cache"  # keep it, but ask whether it is still the same
        response.headers["Content-Security-Policy"] = POLICY
        return response
