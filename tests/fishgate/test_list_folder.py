"""Which lists a server holds, and what a request may pick of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fishgate.errors import InvalidOption, ListError
from fishgate.list_folder import ListFolder
from fishgate.options import Options
from tests.lists import write_lake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_lake(tmp_path, "river", "label\nTrout\n")
    (tmp_path / "README.md").write_text("not a list")
    return write_lake(tmp_path, "lake").parent


def test_every_csv_file_is_a_list(folder: Path) -> None:
    assert [species.name for species in ListFolder(folder)] == ["lake", "river"]


def test_a_request_gets_the_list_that_it_picks(folder: Path) -> None:
    lists = ListFolder(folder)
    picked = lists.picked(Options(species_list="river"))
    assert picked is not None
    assert picked.name == "river"
    assert lists.members(Options(species_list="river")) == {"trout"}


def test_a_request_that_picks_none_gets_none(folder: Path) -> None:
    assert ListFolder(folder).picked(Options(labels=("Pike",))) is None
    assert ListFolder(folder).members(Options()) is None


def test_an_unknown_list_is_refused_with_the_ones_that_are_there(folder: Path) -> None:
    with pytest.raises(InvalidOption, match=r"unknown species_list 'sea'; allowed: lake, river$"):
        ListFolder(folder).picked(Options(species_list="sea"))


@pytest.mark.parametrize("place", [None, "nowhere"], ids=["none", "not there"])
def test_a_server_without_lists_says_so(tmp_path: Path, place: str | None) -> None:
    lists = ListFolder(tmp_path / place if place else None)
    assert list(lists) == []
    with pytest.raises(InvalidOption, match=r"unknown species_list 'lake'; this server has no lists$"):
        lists.members(Options(species_list="lake"))


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lists").touch()
    with pytest.raises(ListError, match="species lists lie in a folder, 'lists' is a file"):
        ListFolder(tmp_path / "lists")


def test_a_wrong_list_stops_all(folder: Path) -> None:
    write_lake(folder, "sea", "colour\nblue\n")
    with pytest.raises(ListError, match="unknown column 'colour'"):
        ListFolder(folder)
