"""One packet on its way to a worker and back.

Owns how the pictures become a packet, how long its reply is waited for, and that each picture gets its
own result. When a packet is sent, and what becomes of a lost one, is the business of others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from fishgate.answer import Opinion
from fishgate.errors import FishgateError, InternalError
from fishgate.packet import read_replies, write_packet
from gateway.sender import Sender
from gateway.waiting import Asked

_LATE_S = 1.0
"""How long after the last deadline of its pictures a packet is given up. Its worker skips late pictures, so
that a reply which is still to come comes soon."""

_log = logging.getLogger(__name__)


async def deliver(backend: Sender, model: str, pictures: Sequence[Asked]) -> FishgateError | None:
    """Give each picture its result; return None, or the error with which the packet was lost as a whole.

    It never raises: a picture must not wait for nothing.
    """
    try:
        results = await _results(backend, model, pictures)
    except asyncio.TimeoutError:
        return None  # all their deadlines have passed
    except FishgateError as error:
        return error
    except Exception:
        _log.exception("a packet could not be delivered")
        results = [_own_failure() for _ in pictures]
    for asked, result in zip(pictures, results, strict=True):
        _give(asked, result)
    return None


async def _results(backend: Sender, model: str, pictures: Sequence[Asked]) -> Sequence[Opinion | FishgateError]:
    body = write_packet([asked.packed for asked in pictures])
    limit_s = max(asked.deadline_s for asked in pictures) + _LATE_S - time.monotonic()
    reply = await asyncio.wait_for(backend.post(model, body), limit_s)
    return read_replies(reply, pictures=len(pictures))


def _give(asked: Asked, result: Opinion | FishgateError) -> None:
    if isinstance(result, FishgateError):
        asked.fail(result)
    else:
        asked.succeed(result)


def _own_failure() -> InternalError:
    return InternalError("the gateway failed on this picture; the operator finds the cause in the log")
