"""Say which species lists cannot be served, and why: ``python -m packs.check_lists FILE…``.

Prints one JSON object of file names and reasons, empty if all are right. Loads no model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fishgate.errors import FishgateError
from fishgate.species_list import read_list


def refused(paths: Sequence[Path]) -> dict[str, str]:
    """Return the reason for each list that cannot be served."""
    reasons: dict[str, str] = {}
    for path in paths:
        try:
            read_list(path)
        except (FishgateError, OSError) as error:
            reasons[path.name] = " ".join(str(error).split())
    return reasons


if __name__ == "__main__":
    print(json.dumps(refused([Path(name) for name in sys.argv[1:]])))
