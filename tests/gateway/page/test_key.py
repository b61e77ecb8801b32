"""The API key: asked for when the server wants one, kept for the tab only, never put anywhere else."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.gateway.page.visit import Visit


def want_key(visit: Visit) -> None:
    visit.server.key = "s3cret"
    visit.page.reload()
    expect(visit.page.get_by_role("region", name="This server wants an API key")).to_be_visible()


def enter(visit: Visit, key: str) -> None:
    visit.page.get_by_role("textbox", name="API key").fill(key)
    visit.button("Use this key").click()


def test_no_field_is_shown_where_no_key_is_wanted(visit: Visit) -> None:
    expect(visit.page.locator("#key")).to_be_hidden()
    expect(visit.button("Forget the API key")).to_be_hidden()


def test_pictures_wait_for_the_key(visit: Visit) -> None:
    want_key(visit)
    visit.choose(*[f"sure-{number}.jpg" for number in range(6)])
    expect(visit.page.locator("#progress-why")).to_have_text("Waiting for an API key.")
    enter(visit, "s3cret")
    visit.expect_done(6)
    expect(visit.page.locator("#key")).to_be_hidden()
    assert len(visit.server.asked) == 6
    expect(visit.page.get_by_role("heading", name="Results")).to_be_focused()


def test_a_key_that_was_revoked_meanwhile_is_asked_for(visit: Visit) -> None:
    visit.choose("sure-1.jpg")
    visit.expect_done(1)
    visit.server.key = "s3cret"
    visit.choose("sure-2.jpg")
    expect(visit.page.locator("#key")).to_be_visible()
    enter(visit, "s3cret")
    visit.expect_done(2)


def test_a_wrong_key_is_told(visit: Visit) -> None:
    want_key(visit)
    expect(visit.page.locator("#key-fault")).to_be_hidden()
    enter(visit, "wrong")
    expect(visit.page.get_by_role("alert")).to_have_text("The server does not accept this key.")
    enter(visit, "s3cret")
    expect(visit.page.locator("#key")).to_be_hidden()


def test_what_cannot_be_a_key_is_not_sent(visit: Visit) -> None:
    want_key(visit)
    enter(visit, "schlüssel mit blanks")
    expect(visit.page.get_by_role("alert")).to_contain_text("without blanks")
    expect(visit.page.get_by_role("textbox", name="API key")).to_be_focused()


def test_the_key_is_kept_in_this_tab_only(visit: Visit) -> None:
    want_key(visit)
    enter(visit, "s3cret")
    expect(visit.button("Forget the API key")).to_be_visible()
    visit.page.reload()
    visit.choose("sure.jpg")
    visit.expect_done(1)
    kept = visit.page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]")
    assert kept == [["s3cret"], [], ""]
    other = visit.page.context.new_page()
    other.goto(visit.server.address)
    expect(other.get_by_role("textbox", name="API key")).to_be_visible()


def test_the_key_can_be_forgotten(visit: Visit) -> None:
    want_key(visit)
    enter(visit, "s3cret")
    visit.button("Forget the API key").click()
    expect(visit.page.get_by_role("textbox", name="API key")).to_be_visible()
    assert visit.page.evaluate("sessionStorage.length") == 0
