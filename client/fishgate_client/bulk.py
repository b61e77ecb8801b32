"""Many pictures at once: the queue, the threads, and the order of what comes back.

One thread, the caller's, hands out pictures and gives results; a few others read the files, ask and wait. No more
pictures than ``Pace`` allows are under way, so memory stays the same however many there are.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Generic, TypeVar

from fishgate_client.answer import Answer
from fishgate_client.asking import Asking, Outcome, Question
from fishgate_client.pace import MOST_AT_ONCE, Pace
from fishgate_client.result import Result

T = TypeVar("T")
Numbered = tuple[int, T]
_Found = Generator[tuple[int, Result[T]], None, None]

TORCHSERVE_AT_ONCE = 16
"""TorchServe is asked picture by picture, and keeps one thread for each."""
_MOST_THREADS = 16
_MOST_KEPT_BACK = 1024
"""How many results may wait for an earlier one when they are wanted in order."""


def ask_all(
    question: Question,
    pictures: Iterable[T],
    *,
    read: Callable[[T], bytes],
    at_once: int | None = None,
    in_order: bool = True,
) -> Generator[Result[T], None, None]:
    """Give one result for each picture; ``read`` is called in another thread, when the picture's turn comes."""
    pace = Pace(at_once or (MOST_AT_ONCE if question.door.takes_batches else TORCHSERVE_AT_ONCE))
    crew = _Crew(question, pace, read)
    kept: dict[int, Result[T]] = {}
    found = _found(crew, pace, enumerate(pictures), is_room=lambda: len(kept) < _MOST_KEPT_BACK)
    return _ordered(found, kept) if in_order else _unordered(found)


class _Crew(Generic[T]):
    """The threads that ask. They are daemons: what they wait for must not keep an interrupted program from ending."""

    def __init__(self, question: Question, pace: Pace, read: Callable[[T], bytes]) -> None:
        self._question, self._pace, self._read = question, pace, read
        self._groups: queue.SimpleQueue[list[Numbered[T]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, Result[T]] | BaseException] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._started = 0
        self.holds_groups = question.door.takes_batches

    def take(self, group: list[Numbered[T]]) -> None:
        """Take a group over; each of it comes back through ``next_done``."""
        self._groups.put(group)
        if self._started < _MOST_THREADS:
            self._started += 1
            threading.Thread(target=self._work, name=f"fishgate-{self._started}", daemon=True).start()

    def next_done(self) -> tuple[int, Result[T]]:
        """Wait for the next result."""
        done = self._done.get()
        if isinstance(done, BaseException):
            raise done
        return done

    def end(self) -> None:
        """Let the threads end after what they are waiting for."""
        self._stop.set()
        for _ in range(self._started):
            self._groups.put(None)

    def _work(self) -> None:
        asking: Asking[Numbered[T]] = Asking(
            self._question, self._pace, self._stop, read=lambda one: self._read(one[1]), tell=self._tell
        )
        try:
            for group in iter(self._groups.get, None):
                asking.answer(group)
        except BaseException as error:  # a bug must end the run, not leave it waiting for ever
            self._done.put(error)

    def _tell(self, numbered: Numbered[T], outcome: Outcome) -> None:
        number, picture = numbered
        if isinstance(outcome, Answer):
            self._done.put((number, Result(picture, answer=outcome)))
        else:
            self._done.put((number, Result(picture, error=outcome)))


def _found(crew: _Crew[T], pace: Pace, numbered: Iterator[Numbered[T]], *, is_room: Callable[[], bool]) -> _Found[T]:
    """Hand out pictures as the pace allows, and give results as they come."""
    under_way, is_more = 0, True
    try:
        while True:
            size = pace.group if crew.holds_groups else 1
            while is_more and under_way + size <= pace.limit and is_room():
                group = list(islice(numbered, size))
                is_more = len(group) == size
                under_way += len(group)
                if group:
                    crew.take(group)
            if not under_way:
                return
            yield crew.next_done()
            under_way -= 1
    finally:
        crew.end()


def _ordered(found: _Found[T], kept: dict[int, Result[T]]) -> Generator[Result[T], None, None]:
    """Give results in the order of their numbers; ``kept`` holds those that came too early."""
    turn = 0
    with closing(found):
        for number, result in found:
            kept[number] = result
            while turn in kept:
                yield kept.pop(turn)
                turn += 1


def _unordered(found: _Found[T]) -> Generator[Result[T], None, None]:
    with closing(found):
        for _, result in found:
            yield result
