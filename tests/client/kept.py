"""What the tests of kept results share: running the command on the folder, and counting what it wrote."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fishgate_client.__main__ import main

from tests.client.command_line import rows
from tests.client.stand_in import StandIn


def identify(server: StandIn, out: Path | str, *arguments: str) -> int:
    """Identify the folder ``photos`` into a result file; return the exit status."""
    return main(["--url", server.url, "photos", "--out", str(out), *arguments])


def codes(path: Path) -> Counter[str]:
    """Count the pictures of a result file by error code."""
    found = [row.get("error_code") or (row.get("error") or {}).get("code", "") for row in rows(path)]
    return Counter(code or "" for code in found)
