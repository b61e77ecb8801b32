"""What is downloaded: CSV that spreadsheets read and do not run, and JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.gateway.page.replies import ANSWERS, Json
from tests.gateway.page.visit import GOLDFISH, Visit

FORMULAS = {  # a file's name: how it stands in the CSV
    "=1+1.jpg": "'=1+1.jpg",
    "+1.jpg": "'+1.jpg",
    "-1.jpg": "'-1.jpg",
    "@sum.jpg": "'@sum.jpg",
    "  =1.jpg": "'  =1.jpg",
    "\uff1d1.jpg": "'\uff1d1.jpg",
    'a,"b".jpg': 'a,"b".jpg',
    "ørret – 鯛.jpg": "ørret – 鯛.jpg",
}

TO_CSV = """names => import('/page/export.js').then(module => module.toCsv(names.map(name => (
    {name, file: new File([], name), state: 'waiting', options: null, answer: null, failure: null}))))"""


def saved(visit: Visit, button: str) -> Path:
    with visit.page.expect_download() as download:
        visit.button(button).click()
    assert download.value.suggested_filename.startswith("fishgate-")
    assert download.value.suggested_filename.endswith(f".{button[:4].strip().lower()}")
    return Path(download.value.path())


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.fixture
def results(visit: Visit) -> Visit:
    """A visit with a sure answer, one without a name, a bad file and one that was cancelled."""
    visit.choose("sure.jpg", "nameless.jpg", "damaged_image.jpg", "slow.jpg")
    expect(visit.page.get_by_text("3 of 4 done", exact=True)).to_be_visible()
    visit.button("Cancel").click()
    visit.expect_done(4)
    return visit


def test_the_csv_has_a_row_for_each_picture(results: Visit) -> None:
    content = saved(results, "CSV download of all").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == content.count(b"\n") == 5
    sure, nameless, damaged, cancelled = rows_of(content.decode("utf-8-sig"))
    assert (sure["file"], sure["outcome"], sure["label"], sure["confidence"]) == (
        "sure.jpg",
        "sure",
        "Gold Fish",
        "0.9312",
    )
    assert (sure["deferred"], sure["expert_certainty"], sure["zero_shot_model"]) == ("false", "0.9641", "")
    assert sure["candidates"].startswith("Gold Fish (0.9312); Silver Barb (0.0416)")
    assert (nameless["outcome"], nameless["label"], nameless["low_confidence"]) == ("unsure", "", "true")
    assert (damaged["outcome"], damaged["error_code"]) == ("failed", "damaged_image")
    assert "cannot be decoded" in damaged["error_message"]
    assert (cancelled["outcome"], cancelled["error_code"]) == ("failed", "cancelled")


def test_the_json_has_the_answers_as_the_server_gave_them(results: Visit) -> None:
    document: Json = json.loads(saved(results, "JSON download of all").read_bytes())
    sure, nameless, damaged, cancelled = document["pictures"]
    assert sure["answer"] == ANSWERS["sure"]
    assert nameless["answer"] == ANSWERS["nameless"]
    assert (sure["index"], sure["file"], sure["bytes"]) == (0, "sure.jpg", len(GOLDFISH))
    assert sure["options"] == {"top_k": 5, "labels": None, "species_list": None}
    assert damaged["error"]["status"] == 422
    assert cancelled["error"] == {"status": 0, "code": "cancelled", "message": "Cancelled"}


def test_what_is_still_on_its_way_is_told_as_such(visit: Visit) -> None:
    visit.choose("slow.jpg")
    expect(visit.card("slow.jpg")).to_contain_text("Identifying…")
    row = rows_of(saved(visit, "CSV download of all").read_text("utf-8-sig"))[0]
    assert (row["outcome"], row["error_code"]) == ("open", "waiting")


def test_a_cell_is_never_a_formula_and_always_one_cell(visit: Visit) -> None:
    rows = rows_of(visit.page.evaluate(TO_CSV, list(FORMULAS)).removeprefix("\ufeff"))
    assert [row["file"] for row in rows] == list(FORMULAS.values())


def test_what_the_server_says_is_never_a_formula(visit: Visit) -> None:
    visit.choose("markup.jpg")
    visit.expect_done(1)
    row = rows_of(saved(visit, "CSV download of all").read_text("utf-8-sig"))[0]
    assert row["scientific_name"] == "'=HYPERLINK(1)"
