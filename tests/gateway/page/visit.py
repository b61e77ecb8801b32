"""A visit to the page in a real browser: what a person does there, and what must never happen meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import ConsoleMessage, FilePayload, Locator, Page, Request, expect

from tests.conftest import ROOT
from tests.gateway.page.stand_in import StandIn

GOLDFISH = (ROOT / "samples" / "drawn_goldfish.jpg").read_bytes()
STRIPED_FISH = (ROOT / "samples" / "drawn_fish.jpg").read_bytes()

PATIENCE_MS = 60_000
"""How long a thing may take that should be quick, on a machine that has much else to do."""


def file(name: str, content: bytes = GOLDFISH, *, kind: str = "image/jpeg") -> FilePayload:
    """A file as the browser's file chooser takes it."""
    return {"name": name, "mimeType": kind, "buffer": content}


class Visit:
    """The page of one test; ``faults`` gathers errors of the console and requests to other hosts."""

    def __init__(self, page: Page, server: StandIn) -> None:
        self.page = page
        self.server = server
        self.faults: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._see)
        # From the beginning: switched on by the first wait for a chooser, it might come too late for a quick key.
        page.on("filechooser", lambda chooser: None)
        page.goto(server.address)
        expect(page.locator("#models dt").first).to_be_visible()

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser tells of each reply that is an error; whether the page deals with it is what tests look at.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"{message.type}: {message.text}")

    def _see(self, request: Request) -> None:
        if not request.url.startswith((f"{self.server.address}/", "blob:", "data:")):
            self.faults.append(f"request to {request.url}")

    def choose(self, *files: str | FilePayload) -> None:
        """Press the button and choose files; a name alone stands for a drawn goldfish."""
        with self.page.expect_file_chooser() as chooser:
            self.button("Choose pictures").click()
        chooser.value.set_files([file(one) if isinstance(one, str) else one for one in files])

    def drop(self, *paths: Path) -> None:
        """Drop files or folders of the disk on the middle of the page, as a person drags them there."""
        devices = self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [os.fspath(path) for path in paths], "dragOperationsMask": 1}
        for step in ("dragEnter", "dragOver", "drop"):
            devices.send("Input.dispatchDragEvent", {"type": step, "x": 400, "y": 300, "data": data})
        devices.detach()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def card(self, name: str) -> Locator:
        """The card of the picture with this file name."""
        return self.page.get_by_role("article").filter(has=self.page.get_by_title(name, exact=True))

    def show_options(self) -> None:
        self.page.locator("#options > summary").click()

    def announced(self) -> Locator:
        """Where screen readers are told of what happens."""
        return self.page.locator("#announcer")

    def expect_done(self, count: int) -> None:
        """Wait until nothing is on its way, and so many cards stand there."""
        expect(self.page.get_by_role("article")).to_have_count(count)
        expect(self.page.locator("#progress")).to_be_hidden(timeout=PATIENCE_MS + 500 * count)
