"""The contact sheet: one file with nothing foreign in it, unsure pictures first; no file name can break it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fishgate_client.__main__ import main
from PIL import Image, ImageDraw

from tests.client.stand_in import StandIn

WORDS = ("", "#tench", "#genus", "#nothing", "#degraded", "#damaged", "#untaxed")


def draw(path: Path, word: str, *, size_px: tuple[int, int] = (640, 400), **options: object) -> None:
    """Draw a fish, and write behind it what the stand-in is to say of it."""
    picture = Image.new("RGB", size_px, (40, 110, 150))
    pen = ImageDraw.Draw(picture)
    width_px, height_px = size_px
    pen.ellipse((width_px * 0.2, height_px * 0.3, width_px * 0.75, height_px * 0.7), fill=(225, 140, 60))
    pen.polygon([(width_px * x, height_px * y) for x, y in ((0.7, 0.5), (0.9, 0.3), (0.9, 0.7))], fill=(225, 140, 60))
    pen.ellipse((width_px * 0.28, height_px * 0.42, width_px * 0.32, height_px * 0.47), fill="black")
    picture.save(path, **options)
    with path.open("ab") as file:
        file.write(word.encode())


@pytest.fixture
def sheet(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Identify a folder of drawn fish, and give the sheet's text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fish").mkdir()
    for number, word in enumerate(WORDS):
        draw(tmp_path / "fish" / f"{number} <b>&\"fish'.jpg", word)
    (tmp_path / "fish" / "no picture.png").write_bytes(b"nothing that Pillow reads #unsupported")

    def made(*arguments: str) -> str:
        assert main(["--url", server.url, "fish", "--sheet", "sheet.html", *arguments]) == 1
        return Path("sheet.html").read_text("utf-8")

    return made


@pytest.mark.parametrize("out", [[], ["--out", "r.csv"], ["--out", "r.parquet"]], ids=["no file", "csv", "parquet"])
def test_all_pictures_are_there_the_unsure_ones_first(sheet: Callable[..., str], out: list[str]) -> None:
    text = sheet("--min-confidence", "0.7", *out)
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings == ["To be looked at (3)", "Failed (2)", "Sure (3)"]
    labels = re.findall(r"<h3>(.*?)</h3>", text)
    assert labels[:3] == ["Not told", "Tench", "Carp"], "not the least certain first"
    assert "no picture.png" in labels[3:5]
    assert text.count("<li ") == 8
    assert text.count("data:image/jpeg;base64,") == 7
    assert "Unsure: below 0.7" in text


def test_names_are_text_and_nothing_else(sheet: Callable[..., str]) -> None:
    text = sheet()
    assert "<b>" not in text
    assert html.escape("fish/0 <b>&\"fish'.jpg", quote=False)[:16] in text
    assert "<script" not in text
    assert not re.search(r"(?:src|href)=\"(?!data:)", text), "it needs something from elsewhere"


def test_results_of_earlier_runs_are_on_it(sheet: Callable[..., str], server: StandIn) -> None:
    first = sheet("--out", "r.jsonl")
    server.asked.clear()
    assert sheet("--out", "r.jsonl").count("<li ") == first.count("<li ") == 8
    assert server.asked.total() == 2


def test_thumbnails_are_upright_and_small(server: StandIn, tmp_path: Path) -> None:
    import base64
    import io

    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    draw(tmp_path / "turned.jpg", "", exif=exif)
    out = tmp_path / "sheet.html"
    assert main(["--url", server.url, str(tmp_path / "turned.jpg"), "--sheet", str(out)]) == 0
    data = re.findall(r"base64,([^\"]+)", out.read_text("utf-8"))
    with Image.open(io.BytesIO(base64.b64decode(data[0]))) as thumbnail:
        assert thumbnail.size == (150, 240)
