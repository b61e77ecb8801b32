"""Class folders say what a picture shows and which split it was published in; other layouts are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.class_folders import read_class_folders
from training.photos import Photo, Published


def make_files(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


REFUSED = {
    "split beside class": (
        ["train/Carp/a.jpg", "Eel/a.jpg"],
        r"holds train beside Eel; allowed: <class>/<picture>, or",
    ),
    "a folder too high": (["set/train/Carp/a.jpg"], "class folder set holds the folder train; allowed"),
    "deeper than a class": (["train/Carp/2020/a.jpg"], "class folder Carp holds the folder 2020; allowed"),
    "no classes": (["a.jpg"], "holds no class folders; allowed"),
    "split without classes": (["train/Carp/a.jpg", "test/a.jpg"], "test holds no class folders; allowed"),
}


def test_published_splits_are_read(tmp_path: Path):
    make_files(tmp_path / "fish", "Train/Carp/a.jpg", "valid/Eel/b.jpg", "test/Carp/c.jpg")
    assert read_class_folders(tmp_path / "fish") == [
        Photo("Train/Carp/a.jpg", "fish", "expert", "Carp", "", Published.TRAIN),
        Photo("test/Carp/c.jpg", "fish", "expert", "Carp", "", Published.TEST),
        Photo("valid/Eel/b.jpg", "fish", "expert", "Eel", "", Published.VALIDATION),
    ]


def test_class_folders_without_splits_are_read(tmp_path: Path):
    photos = read_class_folders(make_files(tmp_path, "Carp/a.jpg", "Carp/b.png", "Eel/a.jpg"))
    assert [(photo.path, photo.subject, photo.published) for photo in photos] == [
        ("Carp/a.jpg", "Carp", None),
        ("Carp/b.png", "Carp", None),
        ("Eel/a.jpg", "Eel", None),
    ]


def test_hidden_files_and_folders_are_not_pictures(tmp_path: Path):
    make_files(tmp_path, "Carp/a.jpg", "Carp/.DS_Store", ".git/config")
    assert [photo.path for photo in read_class_folders(tmp_path)] == ["Carp/a.jpg"]


@pytest.mark.parametrize(("paths", "message"), REFUSED.values(), ids=REFUSED)
def test_other_layouts_are_refused(paths: list[str], message: str, tmp_path: Path):
    with pytest.raises(ValueError, match=message):
        read_class_folders(make_files(tmp_path, *paths))


def test_an_absent_folder_is_refused(tmp_path: Path):
    with pytest.raises(NotADirectoryError, match="there is no folder"):
        read_class_folders(tmp_path / "absent")
