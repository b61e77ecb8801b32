"""What the cards say: of each kind of answer, and of each error."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.gateway.page.replies import ERRORS
from tests.gateway.page.visit import STRIPED_FISH, Visit, file

WORDS = {  # first word of the picture's name: the title, and what its card says
    "sure": ("Gold Fish", ["Carassius auratus", "93.1%", "Expert model. Its certainty of 0.96 reaches", "0.90"]),
    "deferred": (
        "Gold Fish",
        ["Zero-shot model. The expert model was not sure enough", "0.38", "(its guess: Gold Fish)"],
    ),
    "genus": ("Carassius Genus", ["81.2%", "Only the genus is sure", "Both models."]),
    "label": ("Goby Family", ["Gobiidae", "This name stands for a whole family"]),
    "nameless": ("Perhaps Bangus", ["34%", "Do not rely on this name", "no model is sure of any"]),
    "degraded": ("Perhaps Gold Fish", ["Do not rely on this name", "could not be asked", "Try again"]),
    "chosen": ("Nile perch", ["93.9%", "The expert model is sure of Gold Fish, but that is not"]),
}

ERROR_WORDS = {  # code: the title, whether trying again is offered
    "empty_image": ("This file is empty", False),
    "invalid_option": ("The server did not accept the options", True),
    "unsupported_image": ("This is not a picture that can be read", False),
    "damaged_image": ("This picture is damaged or cut off", False),
    "image_too_large": ("This picture is too large", False),
    "timed_out": ("No answer came in time", True),
    "internal": ("Something went wrong on the server", True),
}


@pytest.mark.parametrize("word", WORDS)
def test_an_answer_is_told_in_plain_words(visit: Visit, word: str) -> None:
    visit.choose(f"{word}.jpg")
    title, texts = WORDS[word]
    card = visit.card(f"{word}.jpg")
    expect(card.get_by_role("heading", level=3)).to_have_text(title)
    for text in texts:
        expect(card).to_contain_text(text)


@pytest.mark.parametrize("word", ["sure", "deferred", "genus", "label", "chosen"])
def test_an_answer_that_may_be_trusted_has_no_warning(visit: Visit, word: str) -> None:
    visit.choose(f"{word}.jpg")
    visit.expect_done(1)
    assert visit.card(f"{word}.jpg").locator(".warning").count() == 0


def test_the_bar_is_as_long_as_the_confidence(visit: Visit) -> None:
    visit.choose("sure.jpg")
    bar = visit.card("sure.jpg").locator(".confidence .bar")
    lengths = bar.evaluate("bar => [bar.firstElementChild.offsetWidth, bar.offsetWidth]")
    assert lengths[0] / lengths[1] == pytest.approx(0.9312, abs=0.01)


def test_the_next_candidates_follow_in_order(visit: Visit) -> None:
    visit.choose("sure.jpg")
    items = visit.card("sure.jpg").locator(".candidates li")
    expect(items).to_contain_text(["Silver Barb", "Goby", "Common Carp", "Fourfinger Threadfin"])
    expect(items.locator(".share")).to_have_text(["4.2%", "1.2%", "0.8%", "<0.1%"])


def test_the_details_tell_the_certificate(visit: Visit) -> None:
    visit.choose("sure.jpg")
    card = visit.card("sure.jpg")
    card.get_by_text("How sure is that?").click()
    promise = "at most 2% of the accepted answers are wrong, with 95% confidence: proved on 569 pictures"
    expect(card.get_by_text("The expert’s own first guess: Gold Fish (56.4%).")).to_be_visible()
    expect(card.locator("details")).to_contain_text(promise)
    expect(card.locator("details")).to_contain_text("expert demo-2")


@pytest.mark.parametrize("code", ERROR_WORDS)
def test_an_error_is_told_in_plain_words(visit: Visit, code: str) -> None:
    visit.choose(f"{code}.jpg")
    title, may_be_tried_again = ERROR_WORDS[code]
    card = visit.card(f"{code}.jpg")
    expect(card.get_by_role("heading", level=3)).to_have_text(title)
    assert card.get_by_role("button", name="Try again").count() == int(may_be_tried_again)


def test_the_limit_that_was_passed_is_told(visit: Visit) -> None:
    visit.choose("image_too_large.jpg")
    expect(visit.card("image_too_large.jpg")).to_contain_text(ERRORS["image_too_large"][1])


def test_a_fault_of_the_server_names_its_request(visit: Visit) -> None:
    visit.choose("internal.jpg", "proxy.jpg", "damaged_image.jpg")
    expect(visit.card("internal.jpg")).to_contain_text("Request request-7")
    expect(visit.card("proxy.jpg")).to_contain_text("Request from-a-proxy")
    expect(visit.card("damaged_image.jpg")).not_to_contain_text("Request")


def test_what_the_server_says_is_never_read_as_html(visit: Visit) -> None:
    visit.choose("markup-<b>.jpg")
    card = visit.card("markup-<b>.jpg")
    expect(card.get_by_role("heading", level=3)).to_have_text("<img src=x onerror=alert(1)>")
    assert card.locator("h3 img, .file b").count() == 0


def test_a_picture_that_the_browser_cannot_show_has_a_placeholder(visit: Visit) -> None:
    visit.choose("sure.jpg", file("sure-2.tiff", b"II*\0", kind="image/tiff"))
    expect(visit.card("sure-2.tiff")).to_contain_text("TIFF: no preview")
    expect(visit.card("sure-2.tiff").get_by_role("heading", level=3)).to_have_text("Gold Fish")
    expect(visit.card("sure.jpg").get_by_role("button", name="Enlarge sure.jpg")).to_be_visible()


def test_a_picture_can_be_enlarged(visit: Visit) -> None:
    visit.choose(file("sure.jpg", STRIPED_FISH))
    visit.button("Enlarge sure.jpg").click()
    shown = visit.page.get_by_role("dialog").get_by_role("img", name="sure.jpg")
    expect(shown).to_be_visible()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 640
    visit.button("Close").click()
    expect(visit.page.get_by_role("dialog")).to_be_hidden()
    expect(visit.button("Enlarge sure.jpg")).to_be_focused()
