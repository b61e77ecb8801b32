"""Looking for a secret where it must not be: in the arguments of every process, and in every file of a folder."""

from __future__ import annotations

from pathlib import Path

PARTS = 24
"""Characters of a secret that are looked for: one that was cut short is found too."""


def processes_that_show(secret: str) -> list[str]:
    """Return the command lines on this machine in which the secret stands."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if secret[:PARTS] in line:
            found.append(line)
    return found


def files_that_show(secret: str, folder: Path, *, but: tuple[str, ...] = ()) -> list[str]:
    """Return the files below a folder in which the secret stands, but for those of the given names."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in but and secret[:PARTS].encode() in path.read_bytes()
    ]
