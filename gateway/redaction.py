"""Keys that stand where they should not: they are known by their form, and never written down.

Clients send their keys in wrong places, such as a path or a request id. What goes to a log, or to a collector of
traces, goes through here first.
"""

from __future__ import annotations

import logging
import re

# As gateway.keys makes them: the prefix, and 32 bytes in the URL's alphabet. A part of a key, in a text that was cut
# short, is as bad.
_KEY = re.compile(r"fg_[A-Za-z0-9_-]{16,}")

HIDDEN = "fg_(hidden)"


def without_keys(text: str) -> str:
    """Return the text with everything hidden that looks like an API key."""
    return _KEY.sub(HIDDEN, text) if "fg_" in text else text


class RedactingFormatter(logging.Formatter):
    """Formats as logging does, tracebacks included, and hides keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return without_keys(super().format(record))
