"""Who may come in: what every request passes before its picture is looked at, whichever door it comes through.

Owns the order of the checks: still open? known? not too often? a place free? The doors bring the key as their
protocol carries it, and turn the errors into their protocol's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.draining import Draining
from gateway.keys import Key, KeyRing
from gateway.places import Places
from gateway.rate_limit import RateLimits
from gateway.secret_keys import secret_keys
from gateway.settings import Settings


class Entrance:
    """One gateway's entrance. To be made and used inside one running event loop.

    A picture is then worked on inside ``places.place(deadline_s)``, and its bytes are held by ``places.memory()``.
    """

    def __init__(self, settings: Settings) -> None:
        self.draining = Draining()
        self.places = Places(
            at_once=settings.pictures_at_once,
            waiting=settings.pictures_waiting,
            bytes_at_once=settings.picture_bytes_at_once,
        )
        self.rate_limits = RateLimits()
        self._keys = KeyRing(settings.key_store, given=secret_keys(settings.key_files))
        self._needs_keys = settings.needs_keys

    @contextmanager
    def request(self, secret: str | None) -> Iterator[Key | None]:
        """Let a request in while the block runs; give the key that it came with, None if none is needed.

        Raises ShuttingDown, Unauthorised or RateLimited.
        """
        with self.draining.request():
            key = self.recognise(secret)
            self.rate_limits.take(key)
            yield key

    def recognise(self, secret: str | None) -> Key | None:
        """Return the key; None if none was given and none is needed. Raises Unauthorised.

        A key that was given has to be right, even where none is needed: else one would believe that it works.
        """
        return self._keys.recognise(secret) if self._needs_keys or secret else None
