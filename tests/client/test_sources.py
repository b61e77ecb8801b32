"""Which pictures are meant: folders, patterns, lists, and what is left out."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import pytest
from fishgate_client import ImageTooLarge, UnreadableFile, picture
from fishgate_client.command.sources import PictureFile, SourceError, Sources


@pytest.fixture(autouse=True)
def beside_the_reef(reef: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reef.parent)


def paths(*named: str, **settings: object) -> list[str]:
    return [one.path for one in Sources(named, **settings)]  # type: ignore[arg-type]


SOURCES = {
    "a folder": (["reef"], ["reef/a.PNG", "reef/b.jpg", "reef/deep/c.webp"]),
    "a folder written otherwise": (["./reef//"], ["reef/a.PNG", "reef/b.jpg", "reef/deep/c.webp"]),
    "a file that is no picture by name": (["reef/notes.txt"], ["reef/notes.txt"]),
    "a hidden file that is named": (["reef/._a.jpg"], ["reef/._a.jpg"]),
    "a file that is not there": (["none.jpg"], ["none.jpg"]),
    "a pattern": (["reef/*.jpg"], ["reef/b.jpg"]),
    "a deep pattern": (["reef/**/*.*p*"], ["reef/b.jpg", "reef/deep/c.webp"]),
    "a pattern that finds a folder": (["r*f"], ["reef/a.PNG", "reef/b.jpg", "reef/deep/c.webp"]),
    "in the order given": (["reef/deep", "reef/b.jpg"], ["reef/deep/c.webp", "reef/b.jpg"]),
}


@pytest.mark.parametrize(("named", "found"), SOURCES.values(), ids=SOURCES)
def test_names_stand_for_pictures(named: list[str], found: list[str]) -> None:
    assert paths(*named) == found


def test_a_name_with_brackets_that_is_there_is_no_pattern(reef: Path) -> None:
    (reef / "fish [12].jpg").touch()
    assert paths("reef/fish [12].jpg") == ["reef/fish [12].jpg"]


def test_a_pattern_without_match_is_a_failure_not_nothing() -> None:
    (found,) = Sources(("reef/*.gif",))
    with pytest.raises(UnreadableFile, match="matches no file"):
        found.read()


def test_links_to_folders_are_not_followed_and_broken_links_fail(reef: Path) -> None:
    (reef / "deep" / "loop").symlink_to(reef)
    (reef / "gone.jpg").symlink_to("nowhere.jpg")
    (reef / "linked.jpg").symlink_to("b.jpg")
    assert paths("reef") == ["reef/a.PNG", "reef/b.jpg", "reef/deep/c.webp", "reef/gone.jpg", "reef/linked.jpg"]
    with pytest.raises(UnreadableFile, match=r"gone\.jpg cannot be read: No such file"):
        PictureFile("reef/gone.jpg").read()


def test_folders_without_pictures_are_told(reef: Path) -> None:
    (reef / "empty").mkdir()
    sources = Sources(("reef/empty", "reef/b.jpg"))
    assert [one.path for one in sources] == ["reef/b.jpg"]
    assert sources.fruitless == ["reef/empty"]


LISTS = {
    "unix": (b"reef/b.jpg\nreef/deep\n", False),
    "windows": (b"\xef\xbb\xbfreef/b.jpg\r\n\r\nreef/deep\r\n", False),
    "without end": (b"reef/b.jpg\n\nreef/deep", False),
    "zero bytes": (b"reef/b.jpg\0reef/deep\0", True),
}


@pytest.mark.parametrize(("data", "is_nul_separated"), LISTS.values(), ids=LISTS)
def test_a_list_names_pictures_and_folders(
    data: bytes, is_nul_separated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("list").write_bytes(data)
    expected = ["reef/b.jpg", "reef/deep/c.webp"]
    assert paths(lists=(Path("list"),), is_nul_separated=is_nul_separated) == expected
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    with closing(Sources(("-", "reef/a.PNG"), is_nul_separated=is_nul_separated)) as sources:
        for _ in range(2):  # counted first, then asked
            assert [one.path for one in sources] == [*expected, "reef/a.PNG"]


def test_a_list_takes_names_as_they_are(reef: Path) -> None:
    (reef / "a*.jpg").touch()
    Path("list").write_text("reef/a*.jpg\n")
    assert paths(lists=(Path("list"),)) == ["reef/a*.jpg"]


def test_a_list_that_is_not_there_is_told() -> None:
    with pytest.raises(SourceError, match="the list none cannot be read"):
        paths(lists=(Path("none"),))


def test_size_and_time_are_those_of_the_file_that_was_read(reef: Path) -> None:
    found = PictureFile("reef/b.jpg")
    data = found.read()
    status = (reef / "b.jpg").stat()
    assert (found.size, found.modified_ns) == (len(data), status.st_mtime_ns)


def test_a_pipe_without_writer_is_refused(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadableFile, match="no regular file"):
        picture.read_picture(tmp_path / "pipe.jpg")


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.tif").open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(ImageTooLarge, match="was not sent"):
        picture.read_picture(tmp_path / "huge.tif")


def test_a_name_that_cannot_be_one_is_told() -> None:
    with pytest.raises(UnreadableFile, match="cannot be the name"):
        picture.read_picture("a\0b.jpg")
