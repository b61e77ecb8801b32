"""What became of one of many pictures: an answer, or the error that it failed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fishgate_client.answer import Answer
from fishgate_client.errors import FishgateError

Given = TypeVar("Given")
"""What the caller gave for a picture, and gets back with its result."""


@dataclass(frozen=True)
class Result(Generic[Given]):
    """The outcome for ``picture``, exactly one of ``answer`` and ``error``."""

    picture: Given
    answer: Answer | None = None
    error: FishgateError | None = None

    def unwrap(self) -> Answer:
        """Return the answer, or raise the error."""
        if self.answer is None:
            raise self.error or AssertionError("a result has an answer or an error")
        return self.answer

    def as_json(self) -> dict[str, Any]:
        """Return what the server replied, answer or error."""
        if self.answer is not None:
            return dict(self.answer.reply)
        assert self.error is not None
        return self.error.as_json()
