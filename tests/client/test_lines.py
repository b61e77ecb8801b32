"""Rows as lines: what is written comes back, whatever the server says."""

from __future__ import annotations

from typing import Any

import pytest
from fishgate_client import BadReply, Result
from fishgate_client.answer import answer_from
from fishgate_client.command.lines import CsvLines, JsonLines
from fishgate_client.command.rows import Row, Rules, row_of, time_text
from fishgate_client.command.sources import PictureFile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.replies import ANSWER, REPLIES

PICTURE = PictureFile('reef/a, "b".jpg', size=12, modified_ns=1_700_000_000_123_456_789)
TROUBLE = 'comma, "quote", \n line feed \r\n, \x00 zero, \ud800 half, Löffel'


def row(label: str = "Carp") -> tuple[Row, dict[str, Any]]:
    answer = answer_from({**ANSWER, "label": label, "scientific_name": None})
    return row_of(Result(PICTURE, answer=answer), Rules())


@pytest.mark.parametrize("lines", [CsvLines(), JsonLines()], ids=["csv", "jsonl"])
@pytest.mark.parametrize("name", REPLIES)
def test_a_row_comes_back(lines: CsvLines | JsonLines, name: str) -> None:
    given_row, value = row_of(Result(PICTURE, answer=answer_from({**ANSWER, **REPLIES[name]})), Rules())
    line = lines.encode(given_row, value)
    assert lines.decode(line) == given_row
    assert line.startswith(lines.opening[:9]) or isinstance(lines, CsvLines)


@pytest.mark.parametrize("lines", [CsvLines(), JsonLines()], ids=["csv", "jsonl"])
def test_an_error_comes_back(lines: CsvLines | JsonLines) -> None:
    given_row, value = row_of(Result(PICTURE, error=BadReply('what, "is" this')), Rules())
    found = lines.decode(lines.encode(given_row, value))
    assert found == given_row
    assert (found.error_code, found.error_status, found.is_answered) == ("bad_reply", 502, False)


@pytest.mark.parametrize("lines", [CsvLines(), JsonLines()], ids=["csv", "jsonl"])
@settings(deadline=None)
@given(label=st.text(max_size=20) | st.just(TROUBLE))
def test_any_text_stays_on_one_line(lines: CsvLines | JsonLines, label: str) -> None:
    line = lines.encode(*row(label))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    line.decode("utf-8")
    assert lines.decode(line).path == PICTURE.shown


@pytest.mark.parametrize("line", [b"{}\n", b"[]\n", b"nonsense\n", b'{"path": "a", "answer": {}}\n', b'{"path": "a"\n'])
def test_what_is_no_row_is_refused(line: bytes) -> None:
    for lines in (CsvLines(), JsonLines()):
        with pytest.raises(ValueError, match=r"row|JSON|line|Expecting"):
            lines.decode(line)


def test_times_are_exact() -> None:
    assert time_text(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"
    assert time_text(None) is None
