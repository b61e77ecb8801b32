"""What stops the change of a model.

Owns the error; each message says what was wrong and what to do.
"""

from __future__ import annotations


class DeployError(Exception):
    """A model cannot be changed."""
