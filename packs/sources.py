"""Where each model of the ``hub`` pack is published: repositories and file names, no more."""

from __future__ import annotations

from dataclasses import dataclass

from fishgate.model_card import Kind


@dataclass(frozen=True)
class Source:
    """One published model. Of ``weights`` the first file that exists is taken."""

    kind: Kind
    repository: str
    weights: tuple[str, ...]
    config: str | None = None

    @property
    def name(self) -> str:
        """The model's folder below ``models/``."""
        return self.kind.value


EXPERT = Source(Kind.EXPERT, "Heretix/convnext-fish-classifier", ("balik_modeli_final.pth",))
ZERO_SHOT = Source(
    Kind.ZERO_SHOT,
    "imageomics/bioclip-2",
    ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
    config="open_clip_config.json",
)


@dataclass(frozen=True)
class TextSource:
    """Published text embeddings of a model: the names in a JSON file, their embeddings in a NumPy file."""

    list_name: str
    repository: str
    names: str
    embeddings: str


TREE_OF_LIFE = TextSource(
    "tree_of_life_fish",
    "imageomics/TreeOfLife-200M",
    names="embeddings/txt_emb_species.json",
    embeddings="embeddings/txt_emb_species.npy",
)
SOURCES = {source.name: source for source in (EXPERT, ZERO_SHOT)}
