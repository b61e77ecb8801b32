"""The hub pack's species list: every fish whose text embedding was published with BioCLIP-2.

Owns the order of the steps: ask what is published, read the names, stream the embeddings and keep
those of fish, hold a sample against the pack's own text network, put the list in place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fishgate.device import choose_device
from fishgate.errors import LoadError
from fishgate.list_embeddings import Embeddings, read_embeddings, read_record, write_embeddings
from fishgate.model_card import Kind, ModelCard, read_card
from fishgate.species_list import SpeciesList, read_list, write_list
from fishgate.text_embeddings import name_of
from packs.embeddings import embedded, encoder_of
from packs.errors import ForeignTexts
from packs.hub import Hub, RemoteFile, RepositoryType, Snapshot
from packs.list_store import LISTS_FOLDER
from packs.npy_stream import picked_embeddings
from packs.pack import Say
from packs.published_names import Fish, read_fish
from packs.sources import TextSource
from packs.storage import check_room, prepared_folder, put_in_place

SAMPLE = 8
LEAST_AGREEING = 0.5
"""Of the sample, the part whose own embedding must be nearer to the published one of the same species than
to that of any other: shuffled or foreign embeddings agree by chance only, one time in thousands."""


def fetch_fish(source: TextSource, hub: Hub, pack: Path, *, say: Say) -> bool:
    """Bring the list into a zero-shot pack; return False if it was there already, unchanged."""
    card = read_card(pack, kind=Kind.ZERO_SHOT)
    snapshot = hub.snapshot(source.repository, None, type=RepositoryType.DATASET)
    names, embeddings = snapshot.first_of([source.names]), snapshot.first_of([source.embeddings])
    origin = _origin(snapshot, names, embeddings)
    folder = pack / LISTS_FOLDER
    if _is_current(folder, source.list_name, card, origin):
        say(f"{source.list_name}: is there already, unchanged")
        return False
    check_room([(hub.cache, 0 if hub.is_cached(snapshot, names) else names.size_bytes or 0)])
    fish = read_fish(hub.download(snapshot, names))
    say(f"{source.list_name}: {len(fish.rows)} fish among {fish.published} names of {source.repository}")
    check_room([(folder, 2 * len(fish.rows) * int(card.architecture.config["embed_dim"]))])
    say(f"{source.list_name}: streaming {embeddings.name} ({(embeddings.size_bytes or 0) / 1e6:.0f} MB)")
    found = picked_embeddings(hub.stream(snapshot, embeddings), fish.places, names=fish.published)
    count = install(source.list_name, fish, found, pack, card, origin)
    say(f"{source.list_name}: {count} species are in place")
    return True


def install(
    name: str,
    fish: Fish,
    found: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    pack: Path,
    card: ModelCard,
    origin: dict[str, str],
) -> int:
    """Write list and embeddings into a pack, all or nothing; return the number of species.

    Species whose published embedding is empty (all zeros) are left out.
    """
    folder = pack / LISTS_FOLDER
    lengths = np.linalg.norm(found, axis=1)
    usable = np.isfinite(lengths) & (lengths > 0.0)
    rows = [row for row, is_usable in zip(fish.rows, usable, strict=True) if is_usable]
    embeddings: Embeddings = (found[usable] / lengths[usable, None]).astype(np.float16)
    with prepared_folder(folder) as prepared:
        csv = prepared / f"{name}.csv"
        write_list(csv, rows)
        species = read_list(csv)
        check_agreement(species, embeddings, pack, card)
        files = write_embeddings(prepared, species, card, embeddings, origin=origin)
        put_in_place(prepared, folder, [csv.name, *files])
    return len(species)


def check_agreement(species: SpeciesList, embeddings: Embeddings, pack: Path, card: ModelCard) -> None:
    """Raise ForeignTexts unless the pack's own text network finds the species of a sample again."""
    picked = np.unique(np.linspace(0, len(species) - 1, SAMPLE).round().astype(int))
    taxa = list(species.prompt_taxa)
    names = [name_of(taxa[index], card.prompts.text_type) for index in picked]
    own = embedded(names, encoder_of(card, pack, choose_device(0)), what=species.name).numpy()
    nearest = (own @ embeddings.astype(np.float32).T).argmax(axis=1)
    agreeing = int((nearest == picked).sum())
    if agreeing < LEAST_AGREEING * len(picked):
        raise ForeignTexts(
            f"the text network of {card.name!r} finds {agreeing} of {len(picked)} species again by the published "
            "embeddings; they are not this model's, or their order is another"
        )


def _origin(snapshot: Snapshot, names: RemoteFile, embeddings: RemoteFile) -> dict[str, str]:
    # Hashes, not the revision: the description of a data set changes more often than its files.
    return {
        "repository": snapshot.repository,
        names.name: names.sha256 or snapshot.revision,
        embeddings.name: embeddings.sha256 or snapshot.revision,
    }


def _is_current(folder: Path, name: str, card: ModelCard, origin: dict[str, str]) -> bool:
    try:
        read_embeddings(folder, read_list(folder / f"{name}.csv"), card)
        return read_record(folder, name, card).origin == origin
    except (LoadError, OSError):
        return False
