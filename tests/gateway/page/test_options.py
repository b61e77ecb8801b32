"""The options: own names, species lists, number of candidates, and what is not allowed."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from fishgate.errors import InvalidOption
from fishgate.options import options_from_fields
from tests.gateway.page.visit import Visit

LABELS = {  # what somebody writes: the fault that is told, empty where it is allowed
    "one": ("Atlantic cod", ""),
    "commas and lines": ("Atlantic cod, Nile perch\nZander,,\n", ""),
    "blanks within": ("Atlantic \t  cod,\u00a0Nile\u00a0perch ", ""),
    "other scripts": ("鯛, Ørret, Ψάρι, 🐟", ""),
    "hundred characters": ("🐟" * 100, ""),
    "a hundred names": (",".join(f"fish {number}" for number in range(100)), ""),
    "nothing": (" ,\n", "Write at least one name."),
    "too many": (",".join(f"fish {number}" for number in range(101)), "These are 101 names; at most 100 are allowed."),
    "too long": ("a" * 101, "has 101 characters; at most 100 are allowed."),
    "twice": ("Cod, Zander, COD", "“COD” stands there twice."),
    "twice, sharp s": ("Weißfisch, WEISSFISCH", "“WEISSFISCH” stands there twice."),
    "unprintable": ("Co\u0007d", "has characters that cannot be printed."),
    "invisible": ("Co\u200bd", "has characters that cannot be printed."),
}

TOP_K = {
    "1": True,
    "50": True,
    "007": True,
    "0": False,
    "51": False,
    "-1": False,
    "1.5": False,
    "": False,
    "1e1": False,
}

NAMES_IN = "text => import('/page/options.js').then(m => [m.labelsIn(text), m.faultOfLabels(m.labelsIn(text))])"


def choose_own(visit: Visit, text: str) -> None:
    visit.show_options()
    visit.page.get_by_label("Names of my own").check()
    visit.page.get_by_label("Names, separated").fill(text)
    visit.page.get_by_label("Names, separated").blur()


def test_own_names_are_judged_as_the_server_judges_them(visit: Visit) -> None:
    for text, fault in LABELS.values():
        labels, told = visit.page.evaluate(NAMES_IN, text)
        assert fault in told
        assert bool(fault) == bool(told)
        if told:
            with pytest.raises(InvalidOption):
                options_from_fields({"labels": json.dumps(labels)})
        else:
            assert options_from_fields({"labels": json.dumps(labels)}).labels == tuple(labels)


def test_the_number_of_candidates_is_judged_as_the_server_judges_it(visit: Visit) -> None:
    faults = {
        text: visit.page.evaluate("text => import('/page/options.js').then(m => m.faultOfTopK(text))", text)
        for text in TOP_K
    }
    assert {text: fault == "" for text, fault in faults.items()} == TOP_K
    for text in ("007", "50"):
        assert options_from_fields({"top_k": text}).top_k == int(text)


def test_without_options_only_the_number_is_sent(visit: Visit) -> None:
    visit.choose("sure.jpg")
    visit.expect_done(1)
    assert visit.server.asked[0].options == {"top_k": "5"}


def test_own_names_are_sent_and_answered(visit: Visit) -> None:
    choose_own(visit, "Nile perch\nAtlantic  cod,")
    expect(visit.page.locator("#options-now")).to_have_text("2 names of your own, 5 candidates each")
    visit.choose("chosen.jpg")
    expect(visit.card("chosen.jpg")).to_contain_text("that is not among your names")
    assert visit.server.asked[0].options == {"top_k": "5", "labels": '["Nile perch","Atlantic cod"]'}


def test_a_species_list_and_the_number_are_sent(visit: Visit) -> None:
    visit.show_options()
    visit.page.get_by_label("A species list of the server").check()
    visit.page.get_by_label("Species list", exact=True).select_option("reef_fish")
    visit.page.get_by_label("Candidates for each picture").fill("12")
    visit.choose("chosen.jpg")
    expect(visit.card("chosen.jpg")).to_contain_text("that is not on the species list")
    assert visit.server.asked[0].options == {"top_k": "12", "species_list": "reef_fish"}
    expect(visit.page.locator("#options-now")).to_have_text("reef fish, 12 candidates each")


def test_a_picture_waits_until_the_names_are_mended(visit: Visit) -> None:
    choose_own(visit, "Cod, cod")
    expect(visit.page.get_by_role("alert")).to_have_text("“cod” stands there twice.")
    visit.show_options()  # closes them
    visit.choose("chosen.jpg")
    field = visit.page.get_by_label("Names, separated")
    expect(field).to_be_focused()
    expect(visit.page.locator("#progress-why")).to_have_text("Waiting until the options are right.")
    assert visit.server.asked == []
    field.fill("Cod, Zander")
    field.blur()
    visit.expect_done(1)
    assert visit.server.asked[0].options["labels"] == '["Cod","Zander"]'


def test_a_picture_that_waits_for_the_options_can_be_cancelled(visit: Visit) -> None:
    choose_own(visit, "")
    visit.choose("chosen.jpg")
    expect(visit.page.locator("#labels-fault")).to_have_text("Write at least one name.")
    visit.button("Cancel").click()
    expect(visit.card("chosen.jpg")).to_contain_text("Cancelled")
    visit.expect_done(1)
    assert visit.server.asked == []


def test_pictures_are_asked_again_with_other_options(visit: Visit) -> None:
    visit.choose("sure-1.jpg", "sure-2.jpg", "damaged_image.jpg")
    visit.expect_done(3)
    expect(visit.page.locator("#ask-again")).to_be_hidden()
    choose_own(visit, "Nile perch")
    visit.button("Ask again for 2 pictures").click()
    visit.expect_done(3)
    expect(visit.page.locator("#ask-again")).to_be_hidden()
    assert visit.server.names() == {"sure-1.jpg": 2, "sure-2.jpg": 2, "damaged_image.jpg": 1}
    assert [asked.options.get("labels") for asked in visit.server.asked[3:]] == ['["Nile perch"]'] * 2


def test_the_species_can_be_looked_through(visit: Visit) -> None:
    visit.show_options()
    visit.button("Show these species").click()
    dialog = visit.page.get_by_role("dialog", name="Species that can be named")
    expect(dialog.get_by_role("listitem")).to_have_text(
        ["Gold Fish Carassius auratus", "Bangus Chanos chanos", "Goby Gobiidae"]
    )
    dialog.get_by_label("Search").fill("CHANOS")
    expect(dialog.get_by_role("listitem")).to_have_text(["Bangus Chanos chanos"])
    dialog.get_by_role("button", name="Close").click()
    expect(visit.button("Show these species")).to_be_focused()


def test_of_a_long_list_the_first_are_shown(visit: Visit) -> None:
    visit.show_options()
    visit.page.get_by_label("A species list of the server").check()
    visit.page.get_by_label("Species list", exact=True).select_option("reef_fish")
    visit.button("Show these species").click()
    dialog = visit.page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_have_text("250 names; the first 100 are shown, search to see others.")
    dialog.get_by_label("Search").fill("fish 249")
    expect(dialog.get_by_role("listitem")).to_have_text(["Reef fish 249 Piscis 249"])
