"""The page behind the gateway's own HTTP door: its files, its policy, its errors and its keys, with the fake engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from gateway.keys import add_key
from tests.gateway.http_door import Door, open_door
from tests.gateway.page.stand_in import StandIn
from tests.gateway.page.visit import GOLDFISH, PATIENCE_MS, Visit, file

Begin = Callable[..., tuple[Visit, Door]]


@pytest.fixture
def begin(browser: Browser, tmp_path: Path) -> Iterator[Begin]:
    """Opens the page of a door with the given settings; no visit may have had faults."""
    ended = []

    def opened(**settings: Any) -> tuple[Visit, Door]:
        running = open_door(tmp_path, **settings)
        door = running.__enter__()
        context = browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        visit = Visit(context.new_page(), StandIn(address=door.url))
        ended.append((visit, context, running))
        return visit, door

    yield opened
    for _, context, running in ended:
        context.close()
        running.__exit__(None, None, None)
    assert [fault for visit, _, _ in ended for fault in visit.faults] == []


def test_pictures_are_identified(begin: Begin) -> None:
    visit, door = begin()
    visit.choose("fish.jpg", file("cut.jpg", GOLDFISH[:5000]), file("empty.jpg", b""), file("text.jpg", b"no picture"))
    visit.expect_done(4)
    for name, title in {
        "fish.jpg": "640 by 480",
        "cut.jpg": "This picture is damaged or cut off",
        "empty.jpg": "This file is empty",
        "text.jpg": "This is not a picture that can be read",
    }.items():
        expect(visit.card(name).get_by_role("heading", level=3)).to_have_text(title)
    assert door.engine.calls[0].picture == GOLDFISH


def test_options_arrive(begin: Begin) -> None:
    visit, door = begin()
    names = ["Ørret", "鯛", *[f"fish {'x' * 90} {number}" for number in range(98)]]
    visit.show_options()
    visit.page.get_by_label("Names of my own").check()
    visit.page.get_by_label("Names, separated").fill("\n".join(names))
    visit.page.get_by_label("Candidates for each picture").fill("3")
    visit.choose("fish.jpg")
    visit.expect_done(1)
    expect(visit.card("fish.jpg").get_by_role("heading", level=3)).to_have_text(names[0])
    assert door.engine.calls[0].options.labels == tuple(names)
    assert door.engine.calls[0].options.top_k == 3


def test_a_picture_beyond_the_limit_is_told_as_such(begin: Begin, tmp_path: Path) -> None:
    visit, _ = begin()
    (tmp_path / "large.jpg").write_bytes(GOLDFISH + bytes(26_000_000))
    (tmp_path / "fish.jpg").write_bytes(GOLDFISH)
    visit.drop(tmp_path / "large.jpg", tmp_path / "fish.jpg")
    visit.expect_done(2)
    expect(visit.card("large.jpg")).to_contain_text("This picture is too large")
    expect(visit.card("large.jpg")).to_contain_text("allowed are 25,000,000")
    expect(visit.card("fish.jpg").get_by_role("heading", level=3)).to_have_text("640 by 480")


def test_cancelling_frees_the_places(begin: Begin) -> None:
    visit, door = begin()
    door.hold()
    visit.choose(*[f"fish-{number}.jpg" for number in range(6)])
    door.until(lambda: door.engine.working == 4)
    visit.button("Cancel").click()
    visit.expect_done(6)
    door.until(lambda: door.engine.cancelled == 4)
    assert door.engine.working == 0


def test_a_key_lets_the_page_in(begin: Begin) -> None:
    visit, door = begin(keys_required=True)
    secret = add_key(door.settings.key_store, "page")
    visit.choose("fish.jpg")
    visit.page.get_by_role("textbox", name="API key").fill("wrong")
    visit.button("Use this key").click()
    expect(visit.page.get_by_role("alert")).to_have_text("The server does not accept this key.")
    visit.page.get_by_role("textbox", name="API key").fill(secret)
    visit.button("Use this key").click()
    visit.expect_done(1)
    expect(visit.card("fish.jpg").get_by_role("heading", level=3)).to_have_text("640 by 480")


def test_models_and_species_are_shown(begin: Begin) -> None:
    visit, door = begin()
    expert = json.loads(door.get("/v1/models").content)["expert"]
    expect(visit.page.locator("#models")).to_contain_text(f"Version {expert['version']}, {len(expert['labels'])} names")
    visit.show_options()
    visit.button("Show these species").click()
    species = json.loads(door.get("/v1/species").content)["species"]
    items = visit.page.get_by_role("dialog").get_by_role("listitem")
    expect(items).to_have_count(len(species))
    expect(items.first).to_contain_text(species[0]["label"])


def test_the_link_to_the_api_leads_somewhere(begin: Begin) -> None:
    visit, _ = begin()
    visit.page.get_by_role("link", name="API").click()
    expect(visit.page.get_by_role("heading").first).to_be_visible()
    assert visit.page.url.endswith("/docs")
