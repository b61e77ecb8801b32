"""Sending with ``requests`` over kept-alive connections; its errors become Fishgate's here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError

from fishgate_client.address import without_secrets
from fishgate_client.errors import FishgateError, TimedOut, Unreachable
from fishgate_client.message import Reply, Request
from fishgate_client.version import USER_AGENT

CONNECT_TIMEOUT_S = 5.0

Key = str | Callable[[], str | None] | None
"""A key, or what returns it anew for each request, for keys that change while a program runs."""


class Http:
    """One server and its connections; may be used from several threads at once."""

    def __init__(self, url: str, *, key: Key, timeout_s: float, connections: int) -> None:
        self.url = url.rstrip("/")
        self.shown = without_secrets(self.url)
        self._key = key
        self._timeout_s = timeout_s
        self._session = _session(self.url, connections)

    def send(self, request: Request) -> Reply:
        """Send a request and return the whole reply; raise Unreachable or TimedOut."""
        with self.streamed(request) as (status, headers, pieces):
            return Reply(status, headers, b"".join(pieces))

    @contextmanager
    def streamed(self, request: Request) -> Iterator[tuple[int, Any, Iterator[bytes]]]:
        """Send a request; give status, headers and the body piece by piece as it comes. Raise as ``send`` does."""
        with self._translated():
            response = self._session.request(
                request.method,
                self.url + request.path,
                params=request.query,
                data=request.body,
                headers=headers_for(request, self._key, self._timeout_s),
                timeout=(CONNECT_TIMEOUT_S, self._timeout_s),
                allow_redirects=False,  # a key must not be handed on to another address
                stream=True,
            )
            with response:
                yield response.status_code, response.headers, response.iter_content(chunk_size=None)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except requests.Timeout as error:
            raise _timed_out(self.shown, self._timeout_s, error) from error
        except requests.RequestException as error:
            if error.args and isinstance(error.args[0], ReadTimeoutError):  # while the body came
                raise _timed_out(self.shown, self._timeout_s, error) from error
            raise unreachable(self.shown, error) from error


def headers_for(request: Request, key: Key, timeout_s: float) -> dict[str, str]:
    """Return the headers of a request."""
    headers = {"User-Agent": USER_AGENT}
    if request.method == "POST":
        # The server need not go on computing what nobody waits for any more.
        headers["X-Deadline-Ms"] = str(max(1, round(timeout_s * 1000)))
    if request.content_type:
        headers["Content-Type"] = request.content_type
    value = key() if callable(key) else key
    if value:
        headers["Authorization"] = f"Bearer {value}"
    return headers


def unreachable(url: str, error: Exception) -> FishgateError:
    """Return the error of a connection that could not be made, or broke."""
    return Unreachable(f"the server cannot be reached at {url}, or the connection broke ({type(error).__name__})")


def _timed_out(url: str, timeout_s: float, error: Exception) -> FishgateError:
    if isinstance(error, requests.ConnectTimeout):
        return Unreachable(f"no connection to {url} within {CONNECT_TIMEOUT_S:g} seconds")
    return TimedOut(f"no reply from {url} within {timeout_s:g} seconds")


def _session(url: str, connections: int) -> requests.Session:
    session = requests.Session()
    # What the environment says of proxies is read once: for each request anew it costs more than the request, and a
    # .netrc would put another key into the place of ours.
    session.proxies.update(requests.utils.get_environ_proxies(url))
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    session.trust_env = False
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
