"""The text embeddings of a species list, in a file beside it that is mapped into memory.

Owns the names and the form of the two files, and what must agree before they are used: the
weights, the prompts, the list and the numbers themselves. It does not compute them; ``packs`` does.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from fishgate.errors import ListError
from fishgate.model_card import ModelCard, sha256_of
from fishgate.record import Record, explain
from fishgate.species_list import SpeciesList

TEMPLATES_SHA256 = "4f976686fb651bb5803d4689dcd849f75efe0ef19a3c801355bc9a6f03c8a5af"
"""Of the prompt templates, each with ``{}`` for the name; written down here because to look at them
takes open_clip, for which those who only check a file would wait for seconds. A test holds it true."""

Embeddings = NDArray[np.float16]
"""Unit-length text embeddings, shape (species, D), in the order of the list."""

_HASH = r"^[0-9a-f]{64}$"


class EmbeddingsRecord(Record):
    """What stored embeddings were made of, and the hash of their file.

    ``origin`` says where they were published, if they were not computed here.
    """

    weights_sha256: str = Field(pattern=_HASH)
    prompts_sha256: str = Field(pattern=_HASH)
    list_sha256: str = Field(pattern=_HASH)
    embeddings_sha256: str = Field(pattern=_HASH)
    origin: dict[str, str] = Field(default_factory=dict)


def embeddings_file(folder: Path, name: str, card: ModelCard) -> Path:
    """Return the path of a list's embeddings; those of several models can lie side by side."""
    return folder / f"{name}.{card.weights.sha256[:12]}.embeddings.npy"


def record_file(folder: Path, name: str, card: ModelCard) -> Path:
    """Return the path of the record of a list's embeddings."""
    return embeddings_file(folder, name, card).with_suffix(".json")


def read_embeddings(folder: Path, species: SpeciesList, card: ModelCard) -> Embeddings:
    """Map the embeddings of a list into memory; raise ListError unless they are this list's and this model's."""
    path = embeddings_file(folder, species.name, card)
    record = read_record(folder, species.name, card)
    for what, seen, wanted in (
        ("other weights", record.weights_sha256, card.weights.sha256),
        ("other prompts", record.prompts_sha256, prompts_sha256(card)),
        ("another list", record.list_sha256, species.sha256),
        ("other numbers", record.embeddings_sha256, sha256_of(path) if path.is_file() else "none"),
    ):
        if seen != wanted:
            raise ListError(f"the embeddings of {species.name!r} are of {what}; run scripts/serve anew")
    return _mapped(path, species, card)


def write_embeddings(
    folder: Path, species: SpeciesList, card: ModelCard, embeddings: Embeddings, *, origin: dict[str, str] | None = None
) -> list[str]:
    """Write embeddings and their record into a folder; return the names of the files, the record last."""
    path = embeddings_file(folder, species.name, card)
    np.save(path, embeddings.astype(np.float16))
    record = EmbeddingsRecord(
        weights_sha256=card.weights.sha256,
        prompts_sha256=prompts_sha256(card),
        list_sha256=species.sha256,
        embeddings_sha256=sha256_of(path),
        origin=origin or {},
    )
    beside = record_file(folder, species.name, card)
    beside.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return [path.name, beside.name]


def read_record(folder: Path, name: str, card: ModelCard) -> EmbeddingsRecord:
    """Read the record of a list's embeddings; raise ListError if there is none, or it is wrong."""
    path = record_file(folder, name, card)
    try:
        return EmbeddingsRecord.model_validate_json(path.read_bytes())
    except OSError:
        raise ListError(f"the list {name!r} has no embeddings for these weights; run scripts/serve anew") from None
    except ValidationError as error:
        raise ListError(f"{path.name} is wrong: {explain(error)}; remove it and run scripts/serve anew") from None


def prompts_sha256(card: ModelCard) -> str:
    """Return the fingerprint of how the card's model is asked: the templates, and how a taxon is written."""
    return hashlib.sha256(f"{TEMPLATES_SHA256} {card.prompts.text_type.value}".encode()).hexdigest()


def _mapped(path: Path, species: SpeciesList, card: ModelCard) -> Embeddings:
    try:
        # "c" maps as "r" does, but torch warns of every array that cannot be written.
        embeddings = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ListError(f"{path.name} is no array of numpy: {error}; remove it and run scripts/serve anew") from None
    wanted = (len(species), card.architecture.config.get("embed_dim"))
    if embeddings.shape != wanted or embeddings.dtype != np.float16:
        seen = f"{embeddings.dtype} of shape {embeddings.shape}"
        raise ListError(f"{path.name} holds {seen}, float16 of shape {wanted} is wanted; remove it")
    return cast(Embeddings, embeddings)
