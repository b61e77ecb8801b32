"""Parquet, which cannot be added to: rows are collected as JSON lines beside it and turned into one at the end.

The column ``reply`` holds the whole reply as JSON, so that a finished file can be opened again and gone on with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

try:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "a .parquet file needs pyarrow: pip install 'fishgate-client[parquet]'", name="pyarrow"
    ) from error

from fishgate_client.command.lines import json_line
from fishgate_client.command.rows import COLUMNS, row_from

_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_SCHEMA = pa.schema([*((name, _TYPES[kind]) for name, (kind, _) in COLUMNS.items()), ("reply", pa.string())])
_GROUP = 5_000


def write_parquet(journal: Path, path: Path) -> None:
    """Turn JSON lines into a Parquet file, which is there whole or not at all; a few thousand rows in memory."""
    aside = path.with_name(path.name + ".new")
    with journal.open("rb") as lines, parquet.ParquetWriter(aside, _SCHEMA) as writer:
        while group := list(islice(lines, _GROUP)):
            writer.write_table(pa.Table.from_pylist([_record(json.loads(line)) for line in group], schema=_SCHEMA))
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(aside, path)


def write_journal(path: Path, journal: Path) -> None:
    """Turn a Parquet file back into the JSON lines that it was made of; raise ValueError if it is none of ours."""
    aside = journal.with_name(journal.name + ".new")
    with aside.open("wb") as file:
        for value in _values(path):
            file.write(json_line(value))
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, journal)


def _record(value: dict[str, Any]) -> dict[str, Any]:
    columns = dict(zip(COLUMNS, row_from(value).values(), strict=True))
    reply = {name: value[name] for name in ("answer", "error") if name in value}
    return {**columns, "reply": json.dumps(reply)}


def _values(path: Path) -> Iterator[dict[str, Any]]:
    with parquet.ParquetFile(path) as file:
        if file.schema_arrow.names != _SCHEMA.names:
            raise ValueError(f"{path.name} holds other columns")
        for batch in file.iter_batches(_GROUP):
            for row in batch.to_pylist():
                own = {name: row[name] for name in ("path", "bytes", "modified")}
                judged = {name: row[name] for name in ("taxon", "taxon_rank", "unsure", "note")}
                reply = json.loads(row["reply"])
                yield {**own, **({} if "error" in reply else judged), **reply}
