"""Where each result goes: into the record, onto the screen, into the counts."""

from __future__ import annotations

import sys
from typing import Any

from fishgate_client.command.lines import json_line
from fishgate_client.command.record import Record
from fishgate_client.command.rows import Row
from fishgate_client.command.screen import show_rows
from fishgate_client.command.summary import Summary

_ROWS_A_TABLE = 100
"""Answers are shown a table at a time, so that memory does not grow with the pictures."""


class Output:
    """Takes results one by one. ``summary`` counts those of this run."""

    def __init__(self, record: Record | None, *, as_json: bool, as_table: bool, rank: str | None) -> None:
        self.summary = Summary()
        self._record = record
        self._as_json, self._as_table, self._rank = as_json, as_table, rank
        self._rows: list[Row] = []

    def add(self, row: Row, value: dict[str, Any], reply: dict[str, Any]) -> None:
        """Take a result; ``value`` is the row as JSON, ``reply`` what the server said."""
        if self._record is not None:
            self._record.add(row, value)
        self.summary.add(row)
        if self._as_json:
            sys.stdout.write(json_line(reply).decode())
            sys.stdout.flush()
        elif self._as_table:
            self._rows.append(row)
            if len(self._rows) == _ROWS_A_TABLE:
                self.show()

    def show(self) -> None:
        """Show the rows that were not shown yet."""
        if self._rows:
            show_rows(self._rows, self._rank)
            self._rows = []
