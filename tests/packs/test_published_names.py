"""The fish among published names: each species once, with what is known of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from packs.errors import ForeignTexts
from packs.published_names import read_fish

PIKE = [["Animalia", "Chordata", "Actinopterygii", "Esociformes", "Esocidae", "Esox", "lucius"], "Northern pike"]
POOR_PIKE = [["Animalia", "Chordata", "", "Esociformes", "", "Esox", "lucius"], ""]
NAMED_PIKE = [["Animalia", "Chordata", "", "Esociformes", "", "Esox", "Lucius"], "pike"]
TURTLE = [["Animalia", "Chordata", "", "Testudines", "Cheloniidae", "Chelonia", "mydas"], "Green turtle"]
GENUS = [["Animalia", "Chordata", "Actinopterygii", "Esociformes", "Esocidae", "Esox", ""], "Pikes"]
TROUT = [["Animalia", "Chordata", "Teleostei", "Salmoniformes", "Salmonidae", "Salmo", "trutta fario"], None]

FORM = r"a list of \[\[kingdom, phylum, class, order, family, genus, epithet\], common name\] is wanted"
BROKEN = {
    "cut off": (json.dumps([PIKE, TURTLE])[:-20], "is no JSON or is cut off"),
    "cut off between items": (json.dumps([PIKE, TURTLE])[:-1], "is no JSON or is cut off"),
    "an object": ('{"0": []}', r"begins with '\{"),
    "nothing": ("", "begins with ''"),
    "six ranks": (json.dumps([[PIKE[0][1:], "x"]]), "name 0 is .*Chordata"),
    "text as name": (json.dumps([PIKE, "Esox lucius"]), "name 1 is 'Esox lucius'"),
    "no common name": (json.dumps([[PIKE[0]]]), "name 0 is"),
}


def write(folder: Path, *items: object) -> Path:
    (folder / "names.json").write_text(json.dumps(items, indent=1), encoding="utf-8")
    return folder / "names.json"


def test_fish_are_kept_with_their_places(tmp_path: Path) -> None:
    fish = read_fish(write(tmp_path, TURTLE, PIKE, GENUS, TROUT, TURTLE))
    assert (fish.places, fish.published) == ((1, 3), 5)
    pike, trout = fish.rows
    assert (pike.label, pike.scientific_name, pike.class_, pike.family) == (
        "Northern pike",
        "Esox lucius",
        "Actinopterygii",
        "Esocidae",
    )
    assert (trout.label, trout.scientific_name) == ("", "Salmo trutta fario")


@pytest.mark.parametrize(
    ("items", "place"),
    [([POOR_PIKE, PIKE, NAMED_PIKE], 1), ([NAMED_PIKE, POOR_PIKE], 0), ([POOR_PIKE, NAMED_PIKE], 1), ([PIKE, PIKE], 0)],
    ids=["the fullest", "the first", "the one with a common name", "equal ones"],
)
def test_of_a_species_that_stands_there_twice_the_fuller_entry_is_kept(
    tmp_path: Path, items: list[object], place: int
) -> None:
    assert read_fish(write(tmp_path, *items)).places == (place,)


def test_spaces_and_strange_characters_do_not_get_into_names(tmp_path: Path) -> None:
    ranks = [*PIKE[0][:5], " Esox ", "lucius\n"]
    row = read_fish(write(tmp_path, [ranks, "Pi\x07ke"])).rows[0]
    assert (row.label, row.scientific_name) == ("", "Esox lucius")


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "names.json").write_text(text, encoding="utf-8")
    with pytest.raises(ForeignTexts, match=message) as raised:
        read_fish(tmp_path / "names.json")
    assert raised.match(FORM)
