"""The browser and the server of the page's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.gateway.page.stand_in import StandIn, running
from tests.gateway.page.visit import PATIENCE_MS, Visit

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

Open = Callable[..., Visit]


@pytest.fixture(scope="session")
def server() -> Iterator[StandIn]:
    with running() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for each file of tests: its driver keeps an event loop, in which no other test could run its own."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        pytest.skip(f"the page is tested in a real browser, and there is none of {', '.join(CHROMIUM_NAMES)}")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, server: StandIn) -> Iterator[Open]:
    """Opens the page in a context of its own with the given settings; afterwards no visit may have had faults."""
    server.reset()
    visits: list[Visit] = []

    def opened(**settings: Any) -> Visit:
        context = browser.new_context(**settings)
        context.set_default_timeout(PATIENCE_MS)
        visits.append(Visit(context.new_page(), server))
        return visits[-1]

    yield opened
    server.release()
    for visit in visits:
        visit.page.context.close()
    assert [fault for visit in visits for fault in visit.faults] == []


@pytest.fixture
def visit(open_page: Open) -> Visit:
    return open_page()
