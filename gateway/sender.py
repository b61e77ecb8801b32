"""Whoever brings packets to workers, as those see it who have packets: one TorchServe or several."""

from __future__ import annotations

from typing import Protocol


class Sender(Protocol):
    """``gateway.backend.Backend`` is one host, ``gateway.hosts.Hosts`` are several."""

    async def post(self, model: str, body: bytes) -> bytes:
        """Return the model's reply to a packet; raises as ``Backend.post`` does."""

    def spread(self, model: str) -> int:
        """Return over how many hosts the model's work is spread now: at least 1."""
