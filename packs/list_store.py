"""Where species lists lie, and how their text embeddings are computed once and kept beside them.

Owns the way of a list from a pack's or an operator's folder into the one that the server reads.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from fishgate.errors import ListError
from fishgate.list_embeddings import Embeddings, embeddings_file, read_embeddings, record_file, write_embeddings
from fishgate.list_folder import list_files
from fishgate.model_card import ModelCard
from fishgate.species_list import SpeciesList, read_list
from packs.storage import prepared_folder, put_in_place

LISTS_FOLDER = "species_lists"

Compute = Callable[[SpeciesList], Embeddings]
Say = Callable[[str], None]


def list_sources(folders: Sequence[Path]) -> list[Path]:
    """Return the CSV files of several folders; raise ListError if two lists have the same name."""
    found: dict[str, Path] = {}
    for path in (path for folder in folders for path in list_files(folder)):
        if path.stem in found:
            places = f"{found[path.stem].parent} and {path.parent}"
            raise ListError(f"there are two species lists {path.stem!r}, in {places}; rename one")
        found[path.stem] = path
    return list(found.values())


def lay_out(sources: Sequence[Path], target: Path, card: ModelCard, *, compute: Compute, say: Say) -> None:
    """Bring the lists and their embeddings into the folder of the server, and nothing else.

    Embeddings that are missing, or of another model or list, are computed and stored beside the list,
    so that the next start finds them. Raises ListError for a list that is wrong.
    """
    target.mkdir(parents=True, exist_ok=True)
    lists = {path: read_list(path) for path in sources}  # all of them, before hours are spent on the first
    kept = {name for path, species in lists.items() for name in _lay_down(path, species, target, card, compute, say)}
    for stale in target.iterdir():
        if stale.name not in kept:
            stale.unlink()


def _lay_down(path: Path, species: SpeciesList, target: Path, card: ModelCard, compute: Compute, say: Say) -> list[str]:
    beside = next((folder for folder in (path.parent, target) if _has_embeddings(folder, species, card)), None)
    if beside is None:
        say(f"species list {species.name}: computing the text embeddings of {len(species)} names, once")
        beside = _stored(compute(species), path.parent, target, species, card, say)
    files = [path, embeddings_file(beside, species.name, card), record_file(beside, species.name, card)]
    _copy([file for file in files if file.parent != target and not _is_copied(file, target)], target)
    return [file.name for file in files]


def _has_embeddings(folder: Path, species: SpeciesList, card: ModelCard) -> bool:
    try:
        read_embeddings(folder, species, card)
    except ListError:
        return False
    return True


def _stored(
    embeddings: Embeddings, beside: Path, target: Path, species: SpeciesList, card: ModelCard, say: Say
) -> Path:
    """Write embeddings beside their list, or, where that cannot be written, into the server's folder."""
    try:
        _write(embeddings, beside, species, card)
    except OSError as error:
        say(f"species list {species.name}: {beside} cannot be written ({error.strerror}), so the server keeps them")
        _write(embeddings, target, species, card)
        return target
    return beside


def _write(embeddings: Embeddings, folder: Path, species: SpeciesList, card: ModelCard) -> None:
    with prepared_folder(folder) as prepared:
        put_in_place(prepared, folder, write_embeddings(prepared, species, card, embeddings))


def _copy(files: Sequence[Path], target: Path) -> None:
    # Copies: who edits a list while the server runs does not change what it has mapped.
    with prepared_folder(target) as prepared:
        for file in files:
            shutil.copyfile(file, prepared / file.name)
        put_in_place(prepared, target, [file.name for file in files])


def _is_copied(file: Path, target: Path) -> bool:
    copy = target / file.name
    return copy.is_file() and filecmp.cmp(file, copy, shallow=False)
