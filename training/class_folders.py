"""Data sets that say by their folders what a picture shows: <class>/…, or train, val and test above that.

Owns the layout only: no picture is opened here.
"""

from __future__ import annotations

from pathlib import Path

from training.photos import EXPERT, PUBLISHED_NAMES, Photo, Published

LAYOUTS = f"<class>/<picture>, or {', '.join(PUBLISHED_NAMES)} with <class>/<picture> in each"


def read_class_folders(folder: Path) -> list[Photo]:
    """Return all files of a class-folder data set but hidden ones, in the order of their paths, without groups.

    The subject is the name of the class folder, the source that of the data set's. Raises
    ValueError for another layout, NotADirectoryError if there is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"there is no folder {folder}")
    parts = _sub_folders(folder)
    published = [part for part in parts if part.name.lower() in PUBLISHED_NAMES]
    if published and len(published) < len(parts):
        odd = next(part.name for part in parts if part not in published)
        raise ValueError(f"{folder.name} holds {published[0].name} beside {odd}; allowed: {LAYOUTS}")
    if not published:
        return _of_classes(folder, folder, None)
    return [photo for part in published for photo in _of_classes(part, folder, PUBLISHED_NAMES[part.name.lower()])]


def _of_classes(place: Path, folder: Path, published: Published | None) -> list[Photo]:
    classes = _sub_folders(place)
    if not classes:
        raise ValueError(f"{place.name} holds no class folders; allowed: {LAYOUTS}")
    return [_photo(file, folder, published) for class_folder in classes for file in _pictures(class_folder)]


def _pictures(class_folder: Path) -> list[Path]:
    deeper = _sub_folders(class_folder)
    if deeper:  # else a folder too high would silently make one class of everything
        raise ValueError(f"class folder {class_folder.name} holds the folder {deeper[0].name}; allowed: {LAYOUTS}")
    return sorted(file for file in class_folder.iterdir() if not file.name.startswith("."))


def _photo(file: Path, folder: Path, published: Published | None) -> Photo:
    return Photo(
        path=file.relative_to(folder).as_posix(),
        source=folder.resolve().name,
        domain=EXPERT,
        subject=file.parent.name,
        group="",
        published=published,
    )


def _sub_folders(folder: Path) -> list[Path]:
    return sorted(part for part in folder.iterdir() if part.is_dir() and not part.name.startswith("."))
