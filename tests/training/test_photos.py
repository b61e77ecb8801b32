"""A manifest is read whole or refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode
from tests.training.toy_scenes import save_scene
from training.photos import Photo, Published, of_source, read_all_pixels, read_manifest, read_pixels

OWN_COLUMNS = "path,source,domain,expert_class,scientific_or_source_name,group,sha256"
PREPROCESSING = Preprocessing(
    width_px=16,
    height_px=12,
    resize_mode=ResizeMode.SQUASH,
    interpolation=Interpolation.BILINEAR,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)

REFUSED = {
    "path,kind\na.jpg,Carp\n": r"m.csv must have the columns path and class \(or .*\); it has: path, kind",
    "": r"m.csv must have the columns path and class .*; it has: none",
    "path,class\na.jpg,Carp\n,Carp\n": "m.csv, line 3: there is no path",
    "path,class\na.jpg,Carp\nb.jpg\n": "m.csv, line 3: b.jpg has no class",
    "path,class,split\na.jpg,Carp,later\n": "m.csv, line 2: unknown split 'later'; allowed: train, training, val",
    "path,class,domain\na.jpg,Carp,whales\n": "m.csv, line 2: unknown domain 'whales'; allowed: expert, other_species",
    "path,class\na.jpg,Carp\na.jpg,Eel\n": "m.csv lists a.jpg twice",
    "path,class,group\na.jpg,Carp,g1\nb.jpg,Carp,\n": "m.csv gives b.jpg no group, but others one",
    "path,class\na.jpg,K\xe4rp\n": "m.csv is no CSV text in UTF-8",
}


def manifest(folder: Path, text: str) -> Path:
    (folder / "m.csv").write_bytes(text.encode("latin-1"))
    return folder / "m.csv"


def test_the_projects_own_columns_are_read(tmp_path: Path):
    text = f"{OWN_COLUMNS}\na.jpg,bd20,expert,Carp,,g1,00\nb.jpg,f4k23,other_species,,Zebrasoma,g2,00\n"
    (tmp_path / "manifest.csv").write_text(text)
    assert read_manifest(tmp_path) == [
        Photo("a.jpg", "bd20", "expert", "Carp", "g1"),
        Photo("b.jpg", "f4k23", "other_species", "Zebrasoma", "g2"),
    ]


def test_path_and_class_are_enough(tmp_path: Path):
    photos = read_manifest(manifest(tmp_path, "class,path\nCarp,a.jpg\n"))
    assert photos == [Photo("a.jpg", tmp_path.name, "expert", "Carp", "")]


def test_a_published_split_is_read_by_any_usual_name(tmp_path: Path):
    photos = read_manifest(manifest(tmp_path, "path,class,split\na,C,train\nb,C,Valid\nc,C,test\nd,C,\n"))
    assert [photo.published for photo in photos] == [Published.TRAIN, Published.VALIDATION, Published.TEST, None]


def test_a_spreadsheets_byte_order_mark_is_no_part_of_a_column(tmp_path: Path):
    assert read_manifest(manifest(tmp_path, "\xef\xbb\xbfpath,class\na.jpg,Carp\n"))[0].path == "a.jpg"


def test_a_photograph_that_is_no_fish_needs_no_class(tmp_path: Path):
    assert read_manifest(manifest(tmp_path, "path,class,domain\na.jpg,,non_fish\n"))[0].subject == ""


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=REFUSED.values())
def test_a_manifest_that_cannot_be_used_is_refused(text: str, message: str, tmp_path: Path):
    with pytest.raises(ValueError, match=message):
        read_manifest(manifest(tmp_path, text))


def test_photographs_are_chosen_by_domain_and_source():
    photos = [Photo(name, name, "expert", "Carp", name) for name in "ab"] + [Photo("c", "a", "non_fish", "", "c")]
    assert of_source(photos, "expert") == photos[:2]
    assert of_source(photos, "expert", "a") == photos[:1]


def test_pixels_have_the_models_shape(tmp_path: Path):
    photos = [Photo(save_scene(i, tmp_path / f"{i}.png").name, "s", "expert", "Carp", "g") for i in range(3)]
    assert read_all_pixels(photos, tmp_path, PREPROCESSING).shape == (3, 12, 16, 3)


def test_an_unreadable_photograph_is_named(tmp_path: Path):
    (tmp_path / "bad.jpg").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"photograph bad\.jpg cannot be used: these bytes are no picture"):
        read_pixels(Photo("bad.jpg", "s", "expert", "Carp", "g"), tmp_path, PREPROCESSING)
