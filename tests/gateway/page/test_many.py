"""Many pictures: progress, cancelling, a busy server, no server, and trying again."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from tests.gateway.page.visit import Visit

SLOW = [f"slow-{number}.jpg" for number in range(6)]


def expect_asked(visit: Visit, count: int) -> None:
    """Wait until so many pictures have reached the server."""
    visit.page.wait_for_function("true")  # lets the events of the browser come in
    while len(visit.server.asked) < count:
        visit.page.wait_for_timeout(20)


def test_four_are_asked_at_once_and_the_progress_is_told(visit: Visit) -> None:
    visit.choose("sure.jpg", *SLOW)
    expect_asked(visit, 5)
    expect(visit.page.get_by_text("1 of 7 done", exact=True)).to_be_visible()
    assert visit.page.get_by_role("progressbar").evaluate("bar => [bar.value, bar.max]") == [1, 7]
    expect(visit.page.get_by_role("heading", name="Waiting…")).to_have_count(2)
    visit.server.release()
    visit.expect_done(7)
    assert visit.server.most_at_once == 4


def test_cards_keep_the_order_in_which_the_pictures_came(visit: Visit) -> None:
    visit.choose("slow-1.jpg", "sure.jpg")
    expect(visit.card("sure.jpg")).to_contain_text("Gold Fish")
    visit.server.release()
    visit.expect_done(2)
    expect(visit.page.locator(".file-name")).to_have_text(["slow-1.jpg", "sure.jpg"])


def test_cancelling_keeps_what_is_done_and_the_rest_can_be_tried_again(visit: Visit) -> None:
    visit.choose("sure.jpg", *SLOW)
    expect_asked(visit, 5)
    expect(visit.card("sure.jpg")).to_contain_text("Gold Fish")
    visit.button("Cancel").click()
    visit.expect_done(7)
    expect(visit.page.get_by_role("heading", name="Cancelled")).to_have_count(6)
    expect(visit.page.get_by_role("heading", name="Results")).to_be_focused()
    assert len(visit.server.asked) == 5
    visit.server.release()
    visit.button("Try failed again (6)").click()
    visit.expect_done(7)
    expect(visit.page.get_by_role("heading", name="Gold Fish")).to_have_count(7)


def test_counts_and_filters(visit: Visit) -> None:
    visit.choose("sure.jpg", "deferred.jpg", "nameless.jpg", "damaged_image.jpg")
    visit.expect_done(4)
    for name, shown in {"Sure 2": 2, "Unsure 1": 1, "Failed 1": 1, "All 4": 4}.items():
        visit.page.get_by_role("radio", name=name).check()
        expect(visit.page.get_by_role("article")).to_have_count(shown)


def test_a_filter_that_leaves_nothing_says_so(visit: Visit) -> None:
    visit.choose("sure.jpg")
    visit.expect_done(1)
    visit.page.get_by_role("radio", name="Unsure 0").check()
    expect(visit.page.get_by_text("No picture here.")).to_be_visible()


def test_a_busy_server_is_asked_again_when_it_says(visit: Visit) -> None:
    visit.choose("busy-1.jpg", "sure.jpg")
    expect(visit.page.locator("#progress-why")).to_contain_text("The server is busy; going on in")
    visit.expect_done(2)
    assert visit.server.names()["busy-1.jpg"] == 2
    expect(visit.page.get_by_role("heading", name="Gold Fish")).to_have_count(2)


def test_nothing_is_sent_while_the_server_asks_to_wait(visit: Visit) -> None:
    visit.server.retry_after = "60"
    visit.choose("busy-1.jpg")
    expect(visit.page.locator("#progress-why")).to_contain_text("going on in")
    visit.choose("sure.jpg")
    expect(visit.card("sure.jpg")).to_contain_text("Waiting…")
    assert visit.server.names() == {"busy-1.jpg": 1}
    visit.button("Cancel").click()
    visit.button("Try again with sure.jpg").click()
    expect(visit.card("sure.jpg")).to_contain_text("Gold Fish")


def test_a_wait_that_is_too_long_is_a_failure_that_can_be_tried_again(visit: Visit) -> None:
    visit.server.retry_after = "3600"
    visit.choose("busy-1.jpg")
    expect(visit.card("busy-1.jpg")).to_contain_text("The server was too busy")
    visit.button("Try again with busy-1.jpg").click()
    expect(visit.card("busy-1.jpg")).to_contain_text("Gold Fish")


def test_without_a_server_all_wait_until_it_is_back(visit: Visit) -> None:
    visit.page.context.set_offline(True)
    visit.choose("sure-1.jpg", "sure-2.jpg")
    expect(visit.page.get_by_text("The server cannot be reached.")).to_be_visible()
    visit.page.context.set_offline(False)
    visit.expect_done(2)
    expect(visit.page.get_by_role("heading", name="Gold Fish")).to_have_count(2)


def test_the_user_can_go_on_when_the_server_is_back(visit: Visit) -> None:
    visit.page.route("**/v1/identify", lambda route: route.abort("connectionrefused"))
    visit.page.route("**/livez", lambda route: route.abort("connectionrefused"))
    visit.choose("sure.jpg")
    expect(visit.button("Go on")).to_be_visible()
    visit.page.unroute_all()
    visit.button("Go on").click()
    expect(visit.card("sure.jpg")).to_contain_text("Gold Fish")


def test_one_picture_that_breaks_the_connection_does_not_stop_the_others(visit: Visit) -> None:
    def cut(route: Route) -> None:
        is_large = b'filename="large.jpg"' in (route.request.post_data_buffer or b"")
        route.abort("connectionreset") if is_large else route.continue_()

    visit.page.route("**/v1/identify", cut)
    visit.choose("large.jpg", *[f"sure-{number}.jpg" for number in range(6)])
    visit.expect_done(7)
    expect(visit.card("large.jpg")).to_contain_text("It may be larger than the server accepts.")
    expect(visit.page.get_by_role("heading", name="Gold Fish")).to_have_count(6)


def test_a_failed_picture_is_tried_again_alone(visit: Visit) -> None:
    visit.choose("internal.jpg", "sure.jpg")
    visit.expect_done(2)
    visit.button("Try again with internal.jpg").click()
    visit.expect_done(2)
    assert visit.server.names() == {"internal.jpg": 2, "sure.jpg": 1}
    expect(visit.card("internal.jpg")).to_be_focused()


def test_all_can_be_removed_after_a_question(visit: Visit) -> None:
    visit.choose("sure-1.jpg", "sure-2.jpg")
    visit.expect_done(2)
    visit.button("Remove all").click()
    question = visit.page.get_by_role("dialog", name="Remove 2 pictures and what was found?")
    question.get_by_role("button", name="Keep").click()
    expect(visit.page.get_by_role("article")).to_have_count(2)
    visit.button("Remove all").click()
    question.get_by_role("button", name="Remove").click()
    expect(visit.page.get_by_role("article")).to_have_count(0)
    expect(visit.button("Choose pictures")).to_be_focused()
    expect(visit.page.locator("#results")).to_be_hidden()


def test_hundreds_of_pictures_are_all_shown_and_only_near_ones_decoded(visit: Visit) -> None:
    visit.choose(*[f"sure-{number}.jpg" for number in range(300)])
    visit.expect_done(300)
    expect(visit.page.get_by_role("radio", name="Sure 300")).to_be_visible()
    loaded = visit.page.evaluate("[...document.images].filter(image => image.naturalWidth > 0).length")
    assert 1 <= loaded <= 100


def test_a_server_that_is_still_starting_is_asked_again(visit: Visit) -> None:
    visit.server.are_models_there = False
    visit.page.reload()
    expect(visit.page.locator("#models")).to_contain_text("It may still be starting.")
    visit.server.are_models_there = True
    expect(visit.page.locator("#models")).to_contain_text("Version demo-2, 2 names")
