"""How pictures come in: chosen, photographed, dropped, pasted."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.conftest import encoded
from tests.gateway.page.conftest import Open
from tests.gateway.page.visit import GOLDFISH, Visit, file

PHONE = {"viewport": {"width": 375, "height": 812}, "is_mobile": True, "has_touch": True}

PASTE = """async (bytes) => {
    const picture = new Blob([new Uint8Array(bytes)], {type: 'image/png'});
    await navigator.clipboard.write([new ClipboardItem({'image/png': picture})]);
}"""

DROP_LINK = """() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.setData('text/uri-list', 'http://127.0.0.1/somewhere');
    return document.body.dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));
}"""


@pytest.fixture
def drawn_folder(tmp_path: Path) -> Path:
    """A folder with pictures, a folder in it, and files that are no pictures."""
    folder = tmp_path / "catch"
    (folder / "reef").mkdir(parents=True)
    for name in ("sure-10.jpg", "sure-2.jpg", "reef/deferred.JPG"):
        (folder / name).write_bytes(GOLDFISH)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".sure.jpg").write_bytes(b"hidden")
    return folder


def test_chosen_pictures_arrive_as_they_are(visit: Visit) -> None:
    visit.choose("sure-1.jpg", file("sure-2.jpg", GOLDFISH + bytes(3_000_000)))
    visit.expect_done(2)
    sizes = {asked.name: asked.size_bytes for asked in visit.server.asked}
    assert sizes == {"sure-1.jpg": len(GOLDFISH), "sure-2.jpg": len(GOLDFISH) + 3_000_000}


def test_the_same_picture_can_be_chosen_twice(visit: Visit) -> None:
    visit.choose("sure.jpg")
    visit.expect_done(1)
    visit.choose("sure.jpg")
    visit.expect_done(2)


def test_an_empty_file_gets_its_card(visit: Visit) -> None:
    visit.choose(file("empty_image.jpg", b""))
    expect(visit.card("empty_image.jpg")).to_contain_text("This file is empty")


def test_dropped_files_are_taken_in_order(visit: Visit, drawn_folder: Path) -> None:
    visit.drop(drawn_folder / "sure-2.jpg", drawn_folder / "sure-10.jpg")
    visit.expect_done(2)
    expect(visit.page.locator(".file-name")).to_have_text(["sure-2.jpg", "sure-10.jpg"])


def test_of_a_dropped_folder_the_pictures_are_taken(visit: Visit, drawn_folder: Path) -> None:
    visit.drop(drawn_folder)
    visit.expect_done(3)
    names = ["catch/reef/deferred.JPG", "catch/sure-2.jpg", "catch/sure-10.jpg"]
    expect(visit.page.locator(".file-name")).to_have_text(names)
    expect(visit.page.locator("#intake-told")).to_have_text("2 files left out: no picture.")


def test_a_dropped_link_is_no_picture_and_does_not_lead_away(visit: Visit) -> None:
    assert visit.page.evaluate(DROP_LINK) is False, "the browser would follow the link"
    expect(visit.page.locator("#intake-told")).to_have_text("There was no picture file.")


def test_a_picture_is_pasted(open_page: Open, green_48x64_png: bytes) -> None:
    visit = open_page(permissions=["clipboard-read", "clipboard-write"])
    visit.page.evaluate(PASTE, list(green_48x64_png))
    visit.page.keyboard.press("Control+V")
    visit.page.keyboard.press("Control+V")
    visit.expect_done(2)
    expect(visit.page.locator(".file-name")).to_have_text(["pasted 1.png", "pasted 2.png"])


def test_text_is_pasted_into_the_field_that_has_the_focus(open_page: Open) -> None:
    visit = open_page(permissions=["clipboard-read", "clipboard-write"])
    visit.page.evaluate("navigator.clipboard.writeText('Atlantic cod')")
    visit.show_options()
    visit.page.get_by_label("Names of my own").check()
    visit.page.get_by_label("Names, separated").focus()
    visit.page.keyboard.press("Control+V")
    expect(visit.page.get_by_label("Names, separated")).to_have_value("Atlantic cod")


def test_a_phone_offers_its_camera(open_page: Open) -> None:
    visit = open_page(**PHONE)
    with visit.page.expect_file_chooser() as chooser:
        visit.button("Take a photograph").tap()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files([file("sure.jpg")])
    visit.expect_done(1)


def test_a_desk_computer_offers_no_camera(visit: Visit) -> None:
    expect(visit.button("Take a photograph")).to_be_hidden()


def test_a_file_that_vanished_is_told(visit: Visit, tmp_path: Path, red_64x48_jpeg: bytes) -> None:
    visit.server.key = "wanted"  # so that the file waits before it is sent again
    path = tmp_path / "sure.jpg"
    path.write_bytes(red_64x48_jpeg)
    visit.drop(path)
    expect(visit.page.locator("#key")).to_be_visible()
    path.unlink()
    visit.page.get_by_role("textbox", name="API key").fill("wanted")
    visit.button("Use this key").click()
    expect(visit.card("sure.jpg")).to_contain_text("The file can no longer be read")


def test_a_picture_of_many_pixels_is_sent_unchanged(visit: Visit, tmp_path: Path) -> None:
    large = encoded(Image.linear_gradient("L").resize((6000, 4000)).convert("RGB"), "JPEG")
    visit.choose(file("sure.jpg", large))
    visit.expect_done(1)
    assert [asked.size_bytes for asked in visit.server.asked] == [len(large)]
