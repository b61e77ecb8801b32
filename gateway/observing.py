"""What the engine tells of its work, and to whom.

Owns the names and the interface. How figures reach Prometheus or a trace is the business of whoever
gives the observer.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Stage(str, Enum):
    """Parts of the way of one picture. The queues are the gateway's own; a model's time counts from when
    its packet is sent, with TorchServe's queue and all tries."""

    CHECK = "check"
    EXPERT_QUEUE = "expert_queue"
    EXPERT = "expert"
    ZERO_SHOT_QUEUE = "zero_shot_queue"
    ZERO_SHOT = "zero_shot"


class Observer(Protocol):
    """Where the engine's figures go. ``model`` is ``expert`` or ``zero_shot``."""

    def stage(self, name: str, seconds: float) -> None:
        """A picture went through a ``Stage``; told from within the task of its request."""

    def packet(self, model: str, pictures: int) -> None:
        """A packet of so many pictures was sent."""

    def cache(self, hit: bool) -> None:
        """An answer was looked for among the remembered ones."""

    def breaker(self, state: str) -> None:
        """Zero-shot's circuit breaker is now in this ``gateway.breaker.State``."""

    def waiting(self, model: str, count: int) -> None:
        """So many pictures wait to be sent."""

    def in_flight(self, model: str, count: int) -> None:
        """So many packets are in flight."""

    def retried(self, model: str) -> None:
        """A picture is asked about again."""


class SilentObserver:
    """An observer for those who observe nothing."""

    def stage(self, name: str, seconds: float) -> None:
        """Do nothing."""

    def packet(self, model: str, pictures: int) -> None:
        """Do nothing."""

    def cache(self, hit: bool) -> None:
        """Do nothing."""

    def breaker(self, state: str) -> None:
        """Do nothing."""

    def waiting(self, model: str, count: int) -> None:
        """Do nothing."""

    def in_flight(self, model: str, count: int) -> None:
        """Do nothing."""

    def retried(self, model: str) -> None:
        """Do nothing."""
