"""Toy species lists: their text, their files, and embeddings that fit a toy model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fishgate.list_embeddings import write_embeddings
from fishgate.model_card import ModelCard
from fishgate.species_list import read_list

LAKE = """\
label,scientific_name,rank,order,family
Pike,Esox lucius,species,Esociformes,Esocidae
,Perca fluviatilis,,Perciformes,Percidae
Tilapia,Oreochromis niloticus,species,Cichliformes,Cichlidae
"""
LAKE_LABELS = ["Pike", "Perca fluviatilis", "Tilapia"]


def write_lake(folder: Path, name: str = "lake", text: str = LAKE) -> Path:
    """Write a list's file into a folder; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    path.write_text(text, encoding="utf-8")
    return path


def write_lake_for(folder: Path, card: ModelCard, name: str = "lake", text: str = LAKE) -> Path:
    """Write a list with embeddings for a card's model: unit vectors along the axes, in the order of the list."""
    path = write_lake(folder, name, text)
    species = read_list(path)
    axes = np.eye(len(species), card.architecture.config["embed_dim"], dtype=np.float16)
    write_embeddings(folder, species, card, axes)
    return path
