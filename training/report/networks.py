"""The networks that a comparison trained, side by side.

Owns the table; the choice is ``training.comparison``'s.
"""

from __future__ import annotations

from typing import Any

from training.report.blocks import Block, LeftOut, Paragraph, Table
from training.report.run_data import RunData


def network_blocks(run: RunData) -> list[Block]:
    """Return one row a network, the chosen one marked."""
    networks: list[dict[str, Any]] = run.metrics.get("networks", [])
    if not networks:
        raise LeftOut("This run trained one network, so there is none to compare it with.")
    chosen = run.metrics.get("chosen")
    columns = list(dict.fromkeys(column for network in networks for column in network))
    rows = tuple(tuple(_cell(network.get(column)) for column in columns) for network in networks)
    head = tuple(column.replace("_", " ") for column in columns)
    return [Paragraph(f"Chosen by validation: {chosen}."), Table("Networks compared", head, rows)]


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
