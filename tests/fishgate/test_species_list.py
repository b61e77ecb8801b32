"""A species list is read strictly, and its taxa come out as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from fishgate.errors import ListError
from fishgate.species_list import COLUMNS, Row, read_list, write_list
from fishgate.taxonomy import Rank, Taxon
from tests.lists import LAKE, LAKE_LABELS, write_lake

TWO_BASS = "label,scientific_name\nBass,Micropterus salmoides\nbass,Dicentrarchus labrax\nPike,Esox lucius\n"

RANKS = {
    "written": ("Esox lucius,genus", Rank.GENUS),
    "two words": ("Esox lucius,", Rank.SPECIES),
    "one word": ("Esox,", None),
    "three words": ("Salmo trutta lacustris,", None),
}

BAD = {
    "unknown column": ("label,colour\nPike,green\n", r"unknown column 'colour'; allowed: label, scientific_name, rank"),
    "column twice": ("label,label\nPike,Pike\n", "has a column twice; its columns are label, label"),
    "no name column": ("rank,family\nspecies,Esocidae\n", "it needs a column 'label' or 'scientific_name'"),
    "nothing": ("", "it needs a column 'label' or 'scientific_name'"),
    "header alone": ("label\n", "names 0 species; 1 to 100000 are allowed"),
    "too few cells": ("label,rank\nPike\n", "line 2 has 1 cells for 2 columns"),
    "too many cells": ("label\nPike,x\n", "line 2 has 2 cells for 1 columns"),
    "wrong rank": ("label,rank\nPike,tribe\n", "line 2: rank must be one of species, genus, family, order or empty"),
    "control character": ("label\nPi\x07ke\n", "line 2: at most 200 printable characters a cell, got 'Pi"),
    "endless cell": (f"label\n{'x' * 201}\n", "line 2: at most 200 printable characters a cell"),
    "open quotation mark": ('label\n"Pike\n', "is no CSV file in UTF-8: unexpected end of data"),
    "same label twice": ("label\nPike\npike\n", "has 'Pike' 2 times; give each its own label or scientific_name"),
    "same species twice": (
        "label,scientific_name\nPike,Esox lucius\nPike,Esox lucius\n",
        r"has 'Pike \(Esox lucius\)' 2 times",
    ),
}


def test_each_row_is_a_taxon_in_the_order_of_the_file(tmp_path: Path) -> None:
    species = read_list(write_lake(tmp_path))
    assert (species.name, len(species), [taxon.label for taxon in species]) == ("lake", 3, LAKE_LABELS)
    assert species[0] == Taxon(
        label="Pike", scientific_name="Esox lucius", rank=Rank.SPECIES, order="Esociformes", family="Esocidae"
    )
    assert [taxon.label for taxon in species[1:]] == LAKE_LABELS[1:]


def test_a_list_may_hold_common_names_only(tmp_path: Path) -> None:
    assert list(read_list(write_lake(tmp_path, text="label\nPike\n\nMystery fish\n"))) == [
        Taxon(label="Pike"),
        Taxon(label="Mystery fish"),
    ]


def test_the_mark_of_a_spreadsheet_at_the_start_and_spaces_are_passed_over(tmp_path: Path) -> None:
    species = read_list(write_lake(tmp_path, text="\ufeffLabel , Family\r\n Pike ,Esocidae \r\n"))
    assert list(species) == [Taxon(label="Pike", family="Esocidae")]


def test_equal_common_names_are_told_apart_but_not_in_prompts(tmp_path: Path) -> None:
    species = read_list(write_lake(tmp_path, text=TWO_BASS))
    labels = ["Bass (Micropterus salmoides)", "bass (Dicentrarchus labrax)", "Pike"]
    assert [taxon.label for taxon in species] == labels
    assert [taxon.label for taxon in species.prompt_taxa] == ["Bass", "bass", "Pike"]


def test_a_member_is_known_by_its_scientific_name_or_else_by_its_label(tmp_path: Path) -> None:
    species = read_list(write_lake(tmp_path, text="label,scientific_name\nPike,Esox Lucius\nMystery Fish,\n"))
    assert species.members == {"esox lucius", "mystery fish"}


@pytest.mark.parametrize(("cells", "rank"), RANKS.values(), ids=RANKS)
def test_a_rank_that_is_not_written_follows_from_the_name(tmp_path: Path, cells: str, rank: Rank | None) -> None:
    assert read_list(write_lake(tmp_path, text=f"scientific_name,rank\n{cells}\n"))[0].rank is rank


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_wrong_list_is_refused_with_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ListError, match=message):
        read_list(write_lake(tmp_path, text=text))


def test_a_row_that_names_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListError, match="line 3 has neither label nor scientific_name"):
        read_list(write_lake(tmp_path, text="label,scientific_name,family\nPike,,\n,,Esocidae\n"))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "lake.csv").write_bytes(b"label\n\xff\xfe\n")
    with pytest.raises(ListError, match=r"lake\.csv is no CSV file in UTF-8: 'utf-8' codec can't decode"):
        read_list(tmp_path / "lake.csv")


@pytest.mark.parametrize("name", ["Lake", "my lake", "x" * 65])
def test_a_file_that_no_request_could_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ListError, match=r"is called as its file, of a-z, 0-9, '_' and '-'; got "):
        read_list(write_lake(tmp_path, name))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = [Row("Pike, northern", "Esox lucius", "species", class_="Actinopterygii"), Row('"Odd" fish')]
    write_list(tmp_path / "odd.csv", rows)
    assert (tmp_path / "odd.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    first, second = read_list(tmp_path / "odd.csv")
    assert (first.label, first.class_, second) == ("Pike, northern", "Actinopterygii", Taxon(label='"Odd" fish'))


def test_the_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    one, other = write_lake(tmp_path, "one"), write_lake(tmp_path, "other", LAKE.replace("Pike", "Jack"))
    assert read_list(one).sha256 != read_list(other).sha256


def test_lineages_are_worked_out_once(tmp_path: Path) -> None:
    species = read_list(write_lake(tmp_path))
    assert species.lineages is species.lineages
    assert [taxon.label for taxon in species.lineages.taxa] == LAKE_LABELS
