"""``--out``: which form a result file has, where its lines are kept while the run goes on, and how it ends.

CSV and JSON lines are their own record. Parquet cannot be added to: its record is ``NAME.parquet.partial.jsonl``
beside it, from which the file is made at each orderly end, and which is then removed.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from fishgate_client.command.lines import CsvLines, JsonLines, Lines
from fishgate_client.command.record import Record, RecordError

FORMS = (".csv", ".jsonl", ".parquet")
_JOURNAL = ".partial.jsonl"


class ResultFile:
    """The results of one run and of those before it; without a path they are kept only until it ends."""

    def __init__(self, path: Path | None, *, begins_anew: bool = False) -> None:
        """Open the file, or begin it; raise RecordError. ``begins_anew`` puts what is there aside as ``NAME.old``."""
        self.path = path
        self._scratch = tempfile.TemporaryDirectory(prefix="fishgate-") if path is None else None
        if path is not None and path.suffix.lower() not in FORMS:
            raise RecordError(f"--out wants a name that ends in {', '.join(FORMS)}; got {path.name}")
        self._is_parquet = path is not None and path.suffix.lower() == ".parquet"
        self.provenance = None if path is None else path.with_name(path.name + ".provenance.json")
        if begins_anew:
            self._put_aside()
        before = {path for path in self._files() if path.exists()}
        self.record = Record(self._journal(), self._lines())
        self._begun = [path for path in self._files() if path not in before and path.exists()]

    def finish(self) -> None:
        """Bring everything to the disk and the file into its final form."""
        self.record.close()
        if self._is_parquet and self.path is not None:
            from fishgate_client.command.parquet import write_parquet

            write_parquet(self.record.path, self.path)
            self.record.path.unlink()
        if self._scratch:
            self._scratch.cleanup()

    def abandon(self) -> None:
        """Leave things as they were before, if the run does not begin."""
        self.record.close()
        for path in self._begun:
            path.unlink(missing_ok=True)
        if self._scratch:
            self._scratch.cleanup()

    def _files(self) -> list[Path]:
        return [] if self.path is None else [self.path, self.path.with_name(self.path.name + _JOURNAL)]

    def _lines(self) -> Lines:
        return CsvLines() if self.path is not None and self.path.suffix.lower() == ".csv" else JsonLines()

    def _journal(self) -> Path:
        """Return the file of lines; make it from a finished Parquet file if there is only that."""
        if self.path is None:
            assert self._scratch is not None
            return Path(self._scratch.name) / "results.jsonl"
        if not self._is_parquet:
            return self.path
        journal = self.path.with_name(self.path.name + _JOURNAL)
        try:
            from fishgate_client.command.parquet import write_journal

            # If both are there, the end was interrupted after the file was made: the lines hold all that it does.
            if self.path.exists() and not journal.exists():
                write_journal(self.path, journal)
        except (ModuleNotFoundError, ValueError) as error:
            raise RecordError(str(error)) from error
        return journal

    def _put_aside(self) -> None:
        assert self.path is not None
        for ending in ("", ".provenance.json", _JOURNAL):
            path = self.path.with_name(self.path.name + ending)
            with suppress(FileNotFoundError):
                os.replace(path, path.with_name(path.name + ".old"))
