"""One group of pictures: read, sent in one request or in several, asked again where that may help, each answered.

Whatever happens to the others, a picture ends with its own answer or its own error.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fishgate_client.answer import Answer, answer_from
from fishgate_client.doors import Door
from fishgate_client.errors import BadReply, FishgateError, InvalidOption, TransientError, Unauthorised, Unreachable
from fishgate_client.http import Http
from fishgate_client.message import Reply, error_from, json_object
from fishgate_client.options import Options
from fishgate_client.pace import Pace
from fishgate_client.retries import Retries

T = TypeVar("T")
Outcome = Answer | FishgateError

REQUEST_BYTES = 8_000_000
"""A request gets no further picture once it holds this much."""


@dataclass(frozen=True)
class Question:
    """What is asked of each picture, where, and how often."""

    http: Http
    door: Door
    options: Options
    retries: Retries


@dataclass(frozen=True)
class _Loaded(Generic[T]):
    """A picture in memory, and whose it is."""

    owner: T
    data: bytes


class Asking(Generic[T]):
    """Answers groups, one after the other; ``stop`` ends it early, without a word on what is left."""

    def __init__(
        self,
        question: Question,
        pace: Pace,
        stop: threading.Event,
        *,
        read: Callable[[T], bytes],
        tell: Callable[[T, Outcome], None],
    ) -> None:
        self._question = question
        self._pace = pace
        self._stop = stop
        self._read = read
        self._tell = tell

    def answer(self, group: Iterable[T]) -> None:
        """Read, ask and tell, for each of the group exactly once."""
        for load in self._loads(group):
            self._settle(load)

    def _loads(self, group: Iterable[T]) -> Iterator[list[_Loaded[T]]]:
        """Give the group in parts that are small enough for one request each."""
        load: list[_Loaded[T]] = []
        size = 0
        for owner in group:
            try:
                load.append(_Loaded(owner, self._read(owner)))
                size += len(load[-1].data)
            except FishgateError as error:
                self._tell(owner, error)
            if size >= REQUEST_BYTES:
                yield load
                load, size = [], 0
        if load:
            yield load

    def _settle(self, load: list[_Loaded[T]]) -> None:
        for attempt in range(1, self._question.retries.attempts + 1):
            failed = self._once(load)
            waits_s = [self._question.retries.wait_s(error, attempt) for _, error in failed]
            for (one, error), wait_s in zip(failed, waits_s, strict=True):
                if wait_s is None:
                    self._tell(one.owner, error)
            load = [one for (one, _), wait_s in zip(failed, waits_s, strict=True) if wait_s is not None]
            if not load or self._stop.wait(max(wait_s for wait_s in waits_s if wait_s is not None)):
                return

    def _once(self, load: Sequence[_Loaded[T]]) -> list[tuple[_Loaded[T], FishgateError]]:
        """Ask once, tell the answers, and return what failed."""
        began_s = time.monotonic()
        failed = self._together(load)
        if any(isinstance(error, TransientError) for _, error in failed):
            self._pace.was_refused(began_s=began_s)
        else:
            self._pace.went_well(len(load), began_s=began_s)
        return failed

    def _together(self, load: Sequence[_Loaded[T]]) -> list[tuple[_Loaded[T], FishgateError]]:
        if len(load) == 1 or not self._question.door.takes_batches:
            return [failure for one in load for failure in self._alone(one)]
        waiting, failed = dict(enumerate(load)), []
        try:
            with closing(self._lines([one.data for one in load])) as lines:
                for index, outcome in lines:
                    one = _taken(waiting, index)
                    if isinstance(outcome, FishgateError):
                        failed.append((one, outcome))
                    else:
                        self._tell(one.owner, outcome)
        except FishgateError as error:
            return failed + self._refused(list(waiting.values()), error)
        return failed

    def _alone(self, one: _Loaded[T]) -> Iterator[tuple[_Loaded[T], FishgateError]]:
        question = self._question
        try:
            reply = question.http.send(question.door.identify(one.data, question.options))
            self._tell(one.owner, answer_from(reply.object()))
        except FishgateError as error:
            yield one, error

    def _refused(self, rest: list[_Loaded[T]], error: FishgateError) -> list[tuple[_Loaded[T], FishgateError]]:
        """Tell what a failed request means for those that it left unanswered."""
        if isinstance(error, TransientError | InvalidOption | Unauthorised):
            return [(one, error) for one in rest]
        # Too large as a whole, or one of them broke it: in parts, until each has had its own request.
        middle = (len(rest) + 1) // 2
        return [failure for half in (rest[:middle], rest[middle:]) if half for failure in self._together(half)]

    def _lines(self, pictures: Sequence[bytes]) -> Generator[tuple[int, Outcome], None, None]:
        """Send one request; give number and outcome of each picture as its line comes. Raises if lines are missing."""
        question = self._question
        count = 0
        with question.http.streamed(question.door.batch(pictures, question.options)) as (status, headers, pieces):
            if status != 200:
                Reply(status, headers, b"".join(pieces)).object()
            for line in _split(pieces):
                yield _outcome(line, headers)
                count += 1
        if count < len(pictures):
            raise Unreachable(f"the reply ended after {count} of {len(pictures)} lines")


def _taken(waiting: dict[int, _Loaded[T]], index: int) -> _Loaded[T]:
    if index not in waiting:
        raise BadReply(f"the reply has a line for picture {index}, which was not asked or is answered already")
    return waiting.pop(index)


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Give whole lines; the last one need not end with a line feed."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest


def _outcome(line: bytes, headers: Any) -> tuple[int, Outcome]:
    value = json_object(line)
    index = value.get("index") if value else None
    if value is None or not isinstance(index, int):
        raise BadReply(f"a line of the reply cannot be read: {line[:100].decode('utf-8', 'replace')!r}")
    if isinstance(value.get("answer"), dict):
        return index, answer_from(value["answer"])
    return index, error_from(value, status=500, headers=headers)
