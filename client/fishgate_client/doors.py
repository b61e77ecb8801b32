"""The two ways into a Fishgate server: the gateway, and TorchServe's workflow behind it.

A door says how things are asked for there; sending is the transports' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fishgate_client.errors import Refused
from fishgate_client.message import Request, post_form, post_picture
from fishgate_client.options import Options

GATEWAY_URL = "http://127.0.0.1:8000"
TORCHSERVE_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Door:
    """The gateway, unless ``is_torchserve``: the workflow's address, which always answers 200."""

    is_torchserve: bool = False

    @property
    def default_url(self) -> str:
        """Where the server listens if nobody says otherwise."""
        return TORCHSERVE_URL if self.is_torchserve else GATEWAY_URL

    @property
    def takes_batches(self) -> bool:
        """Whether several pictures may go in one request."""
        return not self.is_torchserve

    def identify(self, picture: bytes, options: Options) -> Request:
        """Return the request for one picture."""
        fields = options.fields()
        if not self.is_torchserve:
            return post_picture("/v1/identify", picture, fields)
        if fields or not picture:  # workflows drop the query, and TorchServe an empty body
            return post_form("/wfpredict/fish", [picture], fields)
        return post_picture("/wfpredict/fish", picture, {})

    def batch(self, pictures: Sequence[bytes], options: Options) -> Request:
        """Return the request for several pictures, which is answered with one line each."""
        return post_form("/v1/identify/batch", pictures, options.fields())

    def ping(self) -> Request:
        """Return the request that a server which is there answers, whether or not it can identify."""
        return Request("GET", "/ping" if self.is_torchserve else "/livez")

    def models(self) -> Request:
        """Return the request for the models; raise Refused if this door does not tell them."""
        return self._told("/v1/models", {})

    def species(self, species_list: str | None) -> Request:
        """Return the request for what can be named; raise Refused if this door does not tell it."""
        return self._told("/v1/species", {} if species_list is None else {"list": species_list})

    def _told(self, path: str, query: dict[str, str]) -> Request:
        if self.is_torchserve:
            raise Refused(f"TorchServe does not tell {path}; ask the gateway", code="not_found", status=404)
        return Request("GET", path, query=query)
