"""The table of answers says what was named, how narrowly, and what not to trust."""

from __future__ import annotations

from typing import Any

import pytest

from server.tables import show_answers

ANSWER: dict[str, Any] = {
    "label": "Tilapia",
    "scientific_name": "Oreochromis niloticus",
    "rank": "species",
    "confidence": 0.93,
    "source": "expert",
    "low_confidence": False,
    "degraded": False,
    "candidates": [{"label": "Tilapia"}],
}
ROLLED_UP = {"label": "Cichlidae", "scientific_name": "Cichlidae", "rank": "family", "source": "zero_shot"}
NOTHING = {"label": None, "scientific_name": None, "rank": None, "low_confidence": True, "source": "zero_shot"}

ROWS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a species": (ANSWER, ["Tilapia", "Oreochromis niloticus", "species", "93.0%", "expert", ""]),
    "a family": ({**ANSWER, **ROLLED_UP}, ["Cichlidae", "Cichlidae", "family", "93.0%", "zero_shot", ""]),
    "nothing": ({**ANSWER, **NOTHING}, ["-", "-", "-", "93.0%", "zero_shot", "unsure: perhaps Tilapia"]),
    "unknown taxon": (
        {**ANSWER, "scientific_name": None, "rank": None},
        ["Tilapia", "-", "-", "93.0%", "expert", ""],
    ),
    "stood in": (
        {**ANSWER, "low_confidence": True, "degraded": True},
        ["Tilapia", "Oreochromis niloticus", "species", "93.0%", "expert", "unsure: zero_shot could not be asked"],
    ),
    "an error": ({"error": {"code": "empty_image", "message": "0 bytes"}}, ["-"] * 5 + ["empty_image: 0 bytes"]),
}


@pytest.mark.parametrize(("answer", "cells"), ROWS.values(), ids=ROWS)
def test_an_answer_fills_its_row(capsys: pytest.CaptureFixture[str], answer: dict[str, Any], cells: list[str]) -> None:
    show_answers([("a.jpg", answer)])
    heading, _, row = capsys.readouterr().out.splitlines()
    columns = [cell.strip() for cell in row.replace("│", "|").split("|")]
    assert columns == ["a.jpg", *cells]
    assert [cell.strip() for cell in heading.replace("┃", "|").split("|")][1:4] == ["label", "scientific name", "rank"]
