"""What goes on beside a measurement: a thread that runs while its context lasts."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

BackgroundT = TypeVar("BackgroundT", bound="Background")


class Background(ABC):
    """A thread of that name; ``_is_over`` tells ``_run`` to come to its end, which is waited for."""

    def __init__(self, name: str) -> None:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self: BackgroundT) -> BackgroundT:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """Do it until ``_is_over`` is set."""
