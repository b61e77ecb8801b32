"""Where TorchServe's hosts are: addresses from the settings, and names that stand for several.

Owns the form of the settings and what a name leads to. When it is looked up again is the business of
``gateway.hosts``.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a name, in any order; raises OSError if there are none."""

_DNS = "dns+"
_SCHEMES = ("http", "https")
_ALLOWED = "allowed are http://host:port and dns+http://name:port, several with commas between them"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """One entry of the setting; ``is_name`` says that each address of the name is a host of its own."""

    scheme: str
    host: str
    port: int
    is_name: bool = False

    @property
    def url(self) -> str:
        """The address of the one host that it stands for."""
        return _url(self.scheme, self.host, self.port)


def read_addresses(text: str) -> tuple[Address, ...]:
    """Read the setting, each address once; raise ValueError for what is none."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ValueError(f"there is no address in {text!r}; {_ALLOWED}")
    return tuple(dict.fromkeys(_read_address(part) for part in parts))


def _read_address(text: str) -> Address:
    try:
        parts = urlsplit(text.removeprefix(_DNS))
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is no address ({error}); {_ALLOWED}") from None
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.path not in ("", "/") or parts.query or "@" in text:
        raise ValueError(f"{text!r} is no address; {_ALLOWED}")
    port = port if port is not None else 443 if parts.scheme == "https" else 80
    if text.startswith(_DNS) and parts.scheme == "https":
        raise ValueError(f"{text!r}: a certificate is made out for a name, and not for its addresses; {_ALLOWED}")
    return Address(parts.scheme, parts.hostname, port, is_name=text.startswith(_DNS))


async def look_up(name: str, port: int) -> list[str]:
    """Ask the system's resolver; raise OSError if the name has no address."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def key_file_of(url: str, key_file: Path | None) -> Path | None:
    """Return the key file of the host at ``url``: ``{host}`` and ``{port}`` stand for its own."""
    if key_file is None:
        return None
    parts = urlsplit(url)
    return Path(str(key_file).replace("{host}", str(parts.hostname)).replace("{port}", str(parts.port)))


class Directory:
    """Which models each host serves, by its URL; models share a host if both settings lead to it."""

    def __init__(self, addresses: Mapping[str, Sequence[Address]], *, lookup: Lookup = look_up) -> None:
        """``addresses`` are those of each model, by its name."""
        self._addresses = addresses
        self._lookup = lookup
        self._known: dict[Address, list[str]] = {}
        self._lost: set[Address] = set()

    @property
    def has_names(self) -> bool:
        """Whether it can change."""
        return any(address.is_name for of_model in self._addresses.values() for address in of_model)

    async def look(self) -> dict[str, frozenset[str]]:
        """Return the models of each host, by URL; a name that does not resolve keeps the hosts that it had."""
        everything = dict.fromkeys(one for of_model in self._addresses.values() for one in of_model)
        for address in everything:
            if address.is_name:
                await self._resolve(address)
        return self.hosts()

    def hosts(self) -> dict[str, frozenset[str]]:
        """Return what is known without looking anything up."""
        models: dict[str, set[str]] = {}
        for model, addresses in self._addresses.items():
            for url in (url for address in addresses for url in self._urls(address)):
                models.setdefault(url, set()).add(model)
        return {url: frozenset(names) for url, names in models.items()}

    def _urls(self, address: Address) -> list[str]:
        return self._known.get(address, []) if address.is_name else [address.url]

    async def _resolve(self, address: Address) -> None:
        try:
            found = await self._lookup(address.host, address.port)
        except (OSError, UnicodeError) as error:  # a name may be too long to be one
            if address not in self._lost:  # told once, and not every few seconds
                _log.warning("%s cannot be resolved, its hosts stay as they were: %s", address.host, error)
            self._lost.add(address)
            return
        self._lost.discard(address)
        self._known[address] = [_url(address.scheme, one, address.port) for one in sorted(set(found))]


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
