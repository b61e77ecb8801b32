"""A data set comes with groups that hold all that is nearly the same, however it says what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.training.toy_scenes import draw_scene, save, save_scene
from training.photo_set import read_photo_set


def draw_pictures(folder: Path) -> None:
    """Draw a Carp, its mirror image, another Carp and an Eel."""
    save_scene(1, folder / "Carp" / "a.png")
    save(draw_scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT), folder / "Carp" / "b.jpg")
    save_scene(2, folder / "Carp" / "c.png")
    save_scene(3, folder / "Eel" / "d.png")


def groups(place: Path) -> dict[str, str]:
    return {photo.path: photo.group for photo in read_photo_set(place).photos}


def test_class_folders_get_groups_of_near_duplicates(tmp_path: Path):
    draw_pictures(tmp_path)
    assert groups(tmp_path) == {
        "Carp/a.png": "Carp/a.png",
        "Carp/b.jpg": "Carp/a.png",
        "Carp/c.png": "Carp/c.png",
        "Eel/d.png": "Eel/d.png",
    }


def test_the_groups_of_a_manifest_are_kept_and_joined(tmp_path: Path):
    draw_pictures(tmp_path)
    rows = ["Carp/a.png,Carp,g4", "Carp/b.jpg,Carp,g2", "Carp/c.png,Carp,g2", "Eel/d.png,Eel,g1"]
    manifest = tmp_path / "m.csv"
    manifest.write_text("\n".join(["path,class,group", *rows]))
    assert groups(manifest) == {"Carp/a.png": "g2", "Carp/b.jpg": "g2", "Carp/c.png": "g2", "Eel/d.png": "g1"}
    assert read_photo_set(manifest).folder == tmp_path


def test_a_folder_with_a_manifest_is_read_by_it(tmp_path: Path):
    draw_pictures(tmp_path)
    (tmp_path / "manifest.csv").write_text("path,class\nCarp/a.png,Tench\n")
    assert [photo.subject for photo in read_photo_set(tmp_path).photos] == ["Tench"]


def test_unreadable_pictures_are_left_out_and_named(tmp_path: Path):
    draw_pictures(tmp_path)
    (tmp_path / "Eel" / "e.jpg").write_bytes(b"")
    found = read_photo_set(tmp_path)
    assert "Eel/e.jpg" not in {photo.path for photo in found.photos}
    assert list(found.twins.unreadable) == ["Eel/e.jpg"]


def test_a_data_set_of_which_nothing_can_be_read_is_refused(tmp_path: Path):
    (tmp_path / "Carp").mkdir()
    (tmp_path / "Carp" / "a.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"none of the 1 pictures of .* can be read"):
        read_photo_set(tmp_path)
