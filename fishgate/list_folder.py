"""The species lists that a server holds: a folder of CSV files, the same for all its workers.

Owns which lists there are and what a request may pick. The folder is made by ``scripts/serve``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fishgate.errors import InvalidOption, ListError
from fishgate.options import Options
from fishgate.species_list import SpeciesList, read_list


class ListFolder:
    """All lists of a folder, read at once; None or a folder that is not there holds none."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        files = list_files(path) if path else []
        self._lists = {file.stem: read_list(file) for file in files}

    def __iter__(self) -> Iterator[SpeciesList]:
        return iter(self._lists.values())

    def picked(self, options: Options) -> SpeciesList | None:
        """Return the list that a request picks, None if it picks none; raise InvalidOption for an unknown one."""
        if options.species_list is None:
            return None
        if options.species_list not in self._lists:
            allowed = f"allowed: {', '.join(self._lists)}" if self._lists else "this server has no lists"
            raise InvalidOption(f"unknown species_list {options.species_list!r}; {allowed}")
        return self._lists[options.species_list]

    def members(self, options: Options) -> frozenset[str] | None:
        """Return the members of the list that a request picks, None if it picks none; raises as ``picked``."""
        picked = self.picked(options)
        return None if picked is None else picked.members


def list_files(folder: Path) -> list[Path]:
    """Return the CSV files of a folder in the order of their names; raise ListError if it is no folder."""
    if folder.exists() and not folder.is_dir():
        raise ListError(f"species lists lie in a folder, {folder.name!r} is a file")
    return sorted(folder.glob("*.csv"))
