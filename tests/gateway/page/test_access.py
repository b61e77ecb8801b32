"""For everybody: keyboard, screen readers, phones, light and dark; checked with axe."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import FilePayload, Page, expect

from tests.gateway.page.conftest import Open
from tests.gateway.page.visit import Visit, file

PHONE = {"is_mobile": True, "has_touch": True}

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 375, "height": 812}, **PHONE},
    "narrow phone, dark": {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark", **PHONE},
}

ALL_KINDS: list[str | FilePayload] = [
    *(f"{word}.jpg" for word in ("sure", "deferred", "genus", "nameless", "degraded", "chosen", "internal", "slow")),
    file("damaged_image-with-a-very-long-name-" + "x" * 120 + ".tiff", b"", kind="image/tiff"),
]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

LUMINANCE = """() => {
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
    return (red + green + blue) / 765;
}"""


def faults_of_access(page: Page) -> list[str]:
    """The violations that axe finds, each with the places."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{fault['id']}: {[node['html'][:120] for node in fault['nodes']]}" for fault in found]


def show_all_kinds(visit: Visit) -> None:
    """Cards of every kind, with options and details open."""
    visit.show_options()
    visit.page.get_by_label("Names of my own").check()
    visit.page.get_by_label("Names, separated").fill("Cod, Zander")
    visit.choose(*ALL_KINDS)
    expect(visit.page.get_by_text("8 of 9 done", exact=True)).to_be_visible()
    visit.page.get_by_label("Names, separated").fill("Cod, cod")
    visit.page.get_by_label("Names, separated").blur()
    visit.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_with_results_of_every_kind(open_page: Open, look: str) -> None:
    visit = open_page(**LOOKS[look])
    show_all_kinds(visit)
    assert faults_of_access(visit.page) == []


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_on_the_empty_page_that_wants_a_key(open_page: Open, look: str) -> None:
    visit = open_page(**LOOKS[look])
    assert faults_of_access(visit.page) == []
    visit.server.key = "wanted"
    visit.page.reload()
    visit.page.get_by_role("textbox", name="API key").fill("wrong")
    visit.button("Use this key").click()
    expect(visit.page.get_by_role("alert")).to_be_visible()
    assert faults_of_access(visit.page) == []


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_nothing_in_the_dialogs(open_page: Open, look: str) -> None:
    visit = open_page(**LOOKS[look])
    visit.choose("sure.jpg")
    visit.expect_done(1)
    visit.show_options()
    for opener in ("Show these species", "Enlarge sure.jpg", "Remove all"):
        visit.button(opener).click()
        expect(visit.page.get_by_role("dialog")).to_be_visible()
        assert faults_of_access(visit.page) == []
        visit.page.keyboard.press("Escape")


@pytest.mark.parametrize("look", ["phone", "narrow phone, dark"])
def test_nothing_is_wider_than_a_phone(open_page: Open, look: str) -> None:
    visit = open_page(**LOOKS[look])
    show_all_kinds(visit)
    width = LOOKS[look]["viewport"]["width"]
    visit.page.evaluate(
        "document.querySelectorAll('.cards > li').forEach(li => li.style.contentVisibility = 'visible')"
    )
    assert visit.page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [width, width]


def test_a_dark_system_gets_a_dark_page(open_page: Open) -> None:
    assert open_page(color_scheme="light").page.evaluate(LUMINANCE) > 0.9
    assert open_page(color_scheme="dark").page.evaluate(LUMINANCE) < 0.15


def test_nothing_moves_for_those_who_want_no_motion(open_page: Open) -> None:
    for motion, moves in (("reduce", False), ("no-preference", True)):
        visit = open_page(reduced_motion=motion)
        visit.choose("slow.jpg")
        expect(visit.card("slow.jpg")).to_contain_text("Identifying…")
        animation = visit.page.locator(".skeleton").evaluate("one => getComputedStyle(one).animationName")
        assert (animation != "none") is moves


def test_everything_can_be_done_with_the_keyboard(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("Tab")
    expect(visit.button("Choose pictures")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([file("nameless.jpg"), file("internal.jpg")])
    visit.expect_done(2)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("All species that the models know")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    page.keyboard.type("Nile perch")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Candidates for each picture")).to_be_focused()
    page.keyboard.press("Tab")
    expect(visit.button("Ask again for 2 pictures")).to_be_focused()
    page.keyboard.press("Enter")
    visit.expect_done(2)
    expect(page.get_by_role("heading", name="Results")).to_be_focused()
    assert [asked.options.get("labels") for asked in visit.server.asked[2:]] == ['["Nile perch"]'] * 2


def test_the_keyboard_goes_through_the_results_in_their_order(visit: Visit) -> None:
    visit.choose("sure.jpg", "internal.jpg")
    visit.expect_done(2)
    visit.page.get_by_role("link", name="Skip to the results").focus()
    visit.page.keyboard.press("Enter")
    names = []
    for _ in range(9):
        visit.page.keyboard.press("Tab")
        names.append(
            visit.page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()")
        )
    assert names[1:] == [
        "Try failed again (1)",
        "CSV download of all",
        "JSON download of all",
        "Remove all",
        "Enlarge sure.jpg",
        "How sure is that?",
        "Enlarge internal.jpg",
        "Try again with internal.jpg",
    ]


def test_a_few_outcomes_are_read_out_each(visit: Visit) -> None:
    visit.choose("nameless.jpg")
    expect(visit.announced()).to_contain_text("nameless.jpg: unsure, perhaps Bangus, 34%.")


def test_of_many_only_the_sum_is_read_out(visit: Visit) -> None:
    visit.choose(*[f"sure-{number}.jpg" for number in range(8)], "nameless.jpg", "damaged_image.jpg")
    expect(visit.announced()).to_contain_text("Done. 10 pictures: 8 sure, 1 unsure, 1 failed.")
    expect(visit.announced()).not_to_contain_text("sure-1.jpg")


def test_headings_lead_through_the_page(visit: Visit) -> None:
    visit.choose("sure.jpg")
    visit.expect_done(1)
    headings = visit.page.locator("h1:visible, h2:visible, h3:visible, h4:visible")
    texts = ["Fishgate", "Add pictures of fish", "Results", "Gold Fish", "Next candidates", "How an answer comes about"]
    expect(headings).to_have_text(texts)
