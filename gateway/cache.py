"""Answers that were given before, for pictures that come again.

Owns the key, the bound in bytes, and when answers are forgotten. It asks nobody.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict

from fishgate.answer import Answer, ModelVersions, Source
from fishgate.options import Options, options_to_fields

CacheKey = bytes
"""A SHA-256 over a picture and what was asked of it."""

_BYTES_BESIDE = 400
"""What an answer costs besides its JSON: two bytes objects and the table's own memory, generously."""


def cache_key(picture: bytes, options: Options) -> CacheKey:
    """Return the key of a picture and the options that it was sent with."""
    asked = json.dumps(options_to_fields(options)).encode()
    return hashlib.sha256(hashlib.sha256(picture).digest() + asked).digest()


class AnswerCache:
    """The answers asked for last, of the models as they are; at most ``max_bytes``, 0 remembers nothing."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes_held = 0
        self._answers: OrderedDict[CacheKey, bytes] = OrderedDict()
        self._versions: dict[Source, str] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: CacheKey) -> Answer | None:
        """Return the answer that is remembered, or None."""
        held = self._answers.get(key)
        if held is None:
            return None
        self._answers.move_to_end(key)
        return Answer.model_validate_json(held)

    def put(self, key: CacheKey, answer: Answer) -> None:
        """Remember an answer, unless it is degraded: the next one may be better."""
        self._look_at_versions(answer.models)
        if answer.degraded:
            return
        # As bytes, whose size is known and of which the garbage collector knows nothing.
        held = answer.model_dump_json().encode()
        self._forget(key)
        self._answers[key] = held
        self.bytes_held += _cost(held)
        while self.bytes_held > self.max_bytes:
            self._forget(next(iter(self._answers)))

    def version_is(self, model: Source, version: str) -> None:
        """Forget everything if another version of this model has answered so far."""
        if self._versions.setdefault(model, version) != version:
            self.clear()
        self._versions[model] = version

    def clear(self) -> None:
        """Forget all answers."""
        self._answers.clear()
        self.bytes_held = 0

    def _look_at_versions(self, versions: ModelVersions) -> None:
        if versions.expert is not None:
            self.version_is(Source.EXPERT, versions.expert)
        if versions.zero_shot is not None:
            self.version_is(Source.ZERO_SHOT, versions.zero_shot)

    def _forget(self, key: CacheKey) -> None:
        held = self._answers.pop(key, None)
        if held is not None:
            self.bytes_held -= _cost(held)


def _cost(held: bytes) -> int:
    return len(held) + _BYTES_BESIDE
