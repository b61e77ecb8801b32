"""Draws the pictures of docs/page.md: the page with drawn fish and the stand-in's answers.

python -m tests.gateway.page.screenshots docs/images
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, FilePayload, sync_playwright

from tests.gateway.page.stand_in import StandIn, running
from tests.gateway.page.visit import STRIPED_FISH, Visit, file

LOOKS: dict[str, dict[str, Any]] = {
    "page": {"viewport": {"width": 1120, "height": 1710}},
    "page_dark": {"viewport": {"width": 1120, "height": 640}, "color_scheme": "dark"},
    "page_phone": {"viewport": {"width": 360, "height": 1180}, "is_mobile": True, "has_touch": True},
}
PICTURES: dict[str, list[str | FilePayload]] = {  # of each look: what is chosen
    "page": ["sure.jpg", file("genus.jpg", STRIPED_FISH), file("nameless.jpg", STRIPED_FISH), "image_too_large.jpg"],
    "page_dark": [],
    "page_phone": [file("nameless.jpg", STRIPED_FISH), "sure.jpg"],
}


def shoot(browser: Browser, server: StandIn, look: str) -> Image.Image:
    """Return the page with its answers, in the colours of a palette, which makes a small file."""
    context = browser.new_context(**LOOKS[look])
    visit = Visit(context.new_page(), server)
    if PICTURES[look]:
        visit.choose(*PICTURES[look])
        visit.expect_done(len(PICTURES[look]))
        visit.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        visit.page.wait_for_function("[...document.images].every(image => image.complete)")
    shown = Image.open(io.BytesIO(visit.page.screenshot()))
    context.close()
    return shown.convert("RGB").quantize(200, dither=Image.Dither.NONE)


def main(folder: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    folder.mkdir(parents=True, exist_ok=True)
    with running() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for look in LOOKS:
            shoot(browser, server, look).save(folder / f"{look}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
