"""The pictures that wait to be sent to one model.

Owns their order: who came first goes first, suspects before the others. A suspect is a picture whose packet
was lost. It sends nothing and looks at no clock.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from fishgate.answer import Opinion
from fishgate.errors import FishgateError
from fishgate.packet import PackedPicture


@dataclass(eq=False)
class Asked:
    """One picture on its way to a model; times are of ``time.monotonic()``.

    ``losses`` counts the packets that were lost with this picture in them, ``deaths`` those of them that
    were lost while it was the only picture in flight. ``trouble`` is why it waits again, and ``due_s``
    the time from which a suspect may be sent.
    """

    packed: PackedPicture
    deadline_s: float
    came_s: float
    reply: asyncio.Future[Opinion]
    sent_s: float | None = None
    due_s: float = 0.0
    losses: int = 0
    deaths: int = 0
    trouble: FishgateError | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether it must not share a packet any more."""
        return self.losses > 0

    @property
    def needs_quiet(self) -> bool:
        """Whether nothing else may be in flight, so that it is known whose fault a further loss is."""
        return self.losses > 1

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the reply any more."""
        return self.reply.done()

    def succeed(self, opinion: Opinion) -> None:
        """Give the opinion to whoever waits, if anybody still does."""
        if not self.reply.done():
            self.reply.set_result(opinion)

    def fail(self, error: FishgateError) -> None:
        """Give the error to whoever waits, if anybody still does."""
        if not self.reply.done():
            self.reply.set_exception(error)


class WaitingPictures:
    """Two lines: the pictures that may share a packet, and the suspects."""

    def __init__(self) -> None:
        self._line: OrderedDict[Asked, None] = OrderedDict()
        self._suspects: OrderedDict[Asked, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._line) + len(self._suspects)

    @property
    def sharing(self) -> int:
        """How many of them may share a packet."""
        return len(self._line)

    @property
    def first(self) -> Asked | None:
        """The picture that waits longest of those that may share a packet."""
        return next(iter(self._line), None)

    @property
    def suspect(self) -> Asked | None:
        """The suspect that is due first."""
        return min(self._suspects, key=lambda asked: asked.due_s, default=None)

    def all(self) -> list[Asked]:
        """Return all that wait, in any order."""
        return [*self._suspects, *self._line]

    def join(self, asked: Asked) -> None:
        """Stand at the end of its line."""
        self._line_of(asked)[asked] = None

    def put_back(self, pictures: Iterable[Asked]) -> None:
        """Stand in front of all others again, in the order given."""
        for asked in reversed(list(pictures)):
            self._line_of(asked)[asked] = None
            self._line_of(asked).move_to_end(asked, last=False)

    def leave(self, asked: Asked) -> None:
        """Be gone, if it is still there."""
        self._line_of(asked).pop(asked, None)

    def take(self, *, pictures: int, size: int) -> list[Asked]:
        """Take out the first that may share a packet: at most so many, of so many bytes together.

        There is always one if any waits, however large it is.
        """
        taken: list[Asked] = []
        while self._line and len(taken) < pictures:
            first = next(iter(self._line))
            size -= len(first.packed.picture)
            if taken and size < 0:
                break
            del self._line[first]
            if not first.is_over:
                taken.append(first)
        return taken

    def _line_of(self, asked: Asked) -> OrderedDict[Asked, None]:
        return self._suspects if asked.is_suspect else self._line
