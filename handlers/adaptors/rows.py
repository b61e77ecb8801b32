"""What the rows of a batch hold: one picture each, or a packet of them, or a question about the model.

Owns how all pictures of a batch are laid side by side, and their results given back to their rows. It
knows neither TorchServe nor models.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from fishgate import packet, wire
from fishgate.answer import Opinion
from fishgate.errors import FishgateError, InternalError, InvalidOption
from fishgate.packet import Description, PackedPicture

Fields = Mapping[str, wire.Field]
ResultT = TypeVar("ResultT")

_log = logging.getLogger(__name__)


class RowKind(Enum):
    """What a row wants."""

    PICTURE = "one opinion"
    PACKET = "an opinion on each of its pictures"
    DESCRIPTION = "what the worker says of itself"
    REFUSED = "something that it cannot have"


@dataclass(frozen=True)
class Job:
    """One picture to look at: a request of its own, or a part of a packet."""

    source: Fields | PackedPicture

    @property
    def size(self) -> int:
        """How many bytes the picture has, about."""
        if isinstance(self.source, PackedPicture):
            return len(self.source.picture)
        return sum(len(value) for value in self.source.values() if isinstance(value, (bytes, bytearray, str)))

    def request(self) -> wire.Request:
        """Return what is asked; raise the FishgateError that tells what is wrong with it."""
        if isinstance(self.source, PackedPicture):
            return self.source.request(now_unix_s=time.time())
        return wire.request_from_fields(self.source)


@dataclass(frozen=True)
class Row:
    """One row with the pictures in it; ``refusal`` only where it is refused."""

    kind: RowKind
    jobs: tuple[Job, ...] = ()
    refusal: FishgateError | None = None


def read_row(fields: Fields, *, from_workflow: bool) -> Row:
    """Read one row; what is wrong with a single picture is found only when its job is done."""
    body = fields.get("body", b"")
    if len(fields) != 1 or isinstance(body, str) or not packet.is_packet(body):
        return Row(RowKind.PICTURE, (Job(fields),))
    try:
        if from_workflow:
            raise InvalidOption("a workflow takes one picture a request; send packets to the model itself")
        read = packet.read_packet(body)
    except FishgateError as error:
        return Row(RowKind.REFUSED, refusal=error)
    if read.asks_for_description:
        return Row(RowKind.DESCRIPTION)
    return Row(RowKind.PACKET, tuple(Job(picture) for picture in read.pictures))


def jobs_of(rows: Sequence[Row]) -> list[Job]:
    """Return the pictures of all rows, side by side."""
    return [job for row in rows for job in row.jobs]


def by_row(rows: Sequence[Row], results: Sequence[ResultT | FishgateError]) -> Iterator[list[ResultT | FishgateError]]:
    """Yield for each row the results of its pictures, in order; there is one for each of ``jobs_of``."""
    left = iter(zip(jobs_of(rows), results, strict=True))
    for row in rows:
        own = [next(left) for _ in row.jobs]
        for job, result in own:
            _log_whose(job, result)
        yield [result for _, result in own]


def reply_to(row: Row, opinions: Sequence[Opinion | FishgateError], describe: Callable[[], Description]) -> bytes:
    """Return what a client gets that asked the model itself."""
    if row.kind is RowKind.PACKET:
        return packet.write_replies(opinions)
    if row.kind is RowKind.DESCRIPTION:
        return packet.write_description(describe())
    return wire.reply(row.refusal or opinions[0])


def error_of(row: Row, results: Sequence[object]) -> object:
    """Return the error that is the status of the whole reply, or something else if there is none."""
    return results[0] if row.kind is RowKind.PICTURE else row.refusal


def _log_whose(job: Job, result: object) -> None:
    """Say which request a failure belongs to, so that it is found again in the gateway's log."""
    if isinstance(result, InternalError) and isinstance(job.source, PackedPicture):
        _log.error("the failure was in request %s, trace %s", job.source.request_id, job.source.traceparent or "none")
