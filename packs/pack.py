"""Fetching one pack: asked for, compared with what is there, downloaded, converted, laid in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fishgate.errors import LoadError
from fishgate.model_card import CARD_FILE, Kind, ModelCard, checked_weights, read_card, sha256_of, write_card
from packs.conversion import convert
from packs.embeddings import store_embeddings
from packs.hub import Hub, RemoteFile, Snapshot
from packs.sources import Source
from packs.storage import check_room, prepared_folder, put_in_place
from packs.templates import sealed_card, unsealed_card

Say = Callable[[str], None]


@dataclass(frozen=True)
class Folders:
    """Where is what: the committed templates in ``<models>/<name>``, packs in ``<output>/<name>/hub``."""

    models: Path
    output: Path

    def pack(self, source: Source) -> Path:
        """Return the folder of a model's pack."""
        return self.output / source.name / "hub"


def fetch_pack(source: Source, hub: Hub, folders: Folders, *, revision: str | None, say: Say) -> bool:
    """Bring one pack to a revision; return False if it was there already, unchanged."""
    snapshot = hub.snapshot(source.repository, revision)
    file = snapshot.first_of(source.weights)
    config = hub.download(snapshot, snapshot.first_of([source.config])) if source.config else None
    card = unsealed_card(source, snapshot, file, models=folders.models, config=config)
    pack = folders.pack(source)
    if is_current(card, pack):
        say(f"{source.name}: {card.version} is there already, unchanged")
        return False
    check_room(room_needed(snapshot, file, hub, pack))
    size = f" ({file.size_bytes / 1e6:.0f} MB)" if file.size_bytes else ""
    say(f"{source.name}: {file.name}{size} of {source.repository} at {snapshot.revision}")
    install(hub.download(snapshot, file), card, pack)
    say(f"{source.name}: {card.version} is in place")
    return True


def fetch_embeddings(source: Source, folders: Folders, *, say: Say) -> None:
    """Store the text embeddings of a zero-shot pack, if they are not there."""
    if source.kind is not Kind.ZERO_SHOT:
        return
    made = store_embeddings(folders.pack(source))
    say(f"{source.name}: text embeddings {'stored' if made else 'are there already'}")


def is_current(card: ModelCard, pack: Path) -> bool:
    """Whether the pack in the folder is whole and has this very card, its weights' hash aside."""
    try:
        present = read_card(pack, kind=card.kind)
        checked_weights(present, pack)
    except LoadError:
        return False
    return sealed_card(card, present.weights.sha256).model_dump() == present.model_dump()


def room_needed(snapshot: Snapshot, file: RemoteFile, hub: Hub, pack: Path) -> list[tuple[Path, int]]:
    """Return how many bytes will be written where; what the hub does not tell counts as nothing."""
    size_bytes = file.size_bytes or 0
    download_bytes = 0 if hub.is_cached(snapshot, file) else size_bytes
    return [(hub.cache, download_bytes), (pack, size_bytes)]


def install(published: Path, card: ModelCard, pack: Path) -> None:
    """Check and convert the published weights, and put them and their card in place."""
    with prepared_folder(pack) as folder:
        weights = folder / card.weights.file
        convert(published, card, weights)
        write_card(sealed_card(card, sha256_of(weights)), folder)
        # Weights first: until the card follows, loading refuses a hash that differs.
        put_in_place(folder, pack, [card.weights.file, CARD_FILE])
