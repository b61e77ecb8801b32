"""What is done again and again while the gateway runs, and does not end over an error that nobody foresaw.

Owns the repeating; who begins it ends it by cancelling.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)


async def again_and_again(step: Callable[[], Awaitable[None]], *, every_s: float, what: str) -> None:
    """Do a step every so many seconds, for the first time after that pause.

    An error is told with its traceback as a failure of ``what``; the same one again and again is told once.
    """
    told = ""
    while True:
        await asyncio.sleep(every_s)
        try:
            await step()
            told = ""
        except Exception as error:
            if repr(error) != told:
                _log.exception("%s failed; it is tried again", what)
            told = repr(error)
