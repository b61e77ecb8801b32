"""A toy world for the trainers: drawn fish, their manifest, lists and a backbone that has learnt nothing."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from tests.training.toy_scenes import draw_scene

CLASSES = {"Gold Fish": "orange", "KnifeFish": "grey", "Trout": "pink"}
PHOTOS_A_CLASS = 10
SIDE_PX = 48
TAXONOMY = """index,class,scientific_name,rank,family,order,note
0,Gold Fish,Carassius auratus,species,Cyprinidae,Cypriniformes,
1,KnifeFish,Notopteridae,family,Notopteridae,Osteoglossiformes,
2,Trout,Oncorhynchus mykiss,species,Salmonidae,Salmoniformes,
"""
SPECIES = """speccode,class,order,family,genus,species,scientific_name,common_name_fishbase
1,Actinopterygii,Salmoniformes,Salmonidae,Oncorhynchus,mykiss,Oncorhynchus mykiss,Rainbow trout
2,Actinopterygii,Esociformes,Esocidae,Esox,lucius,Esox lucius,Northern pike
3,Actinopterygii,Cypriniformes,Cyprinidae,Tinca,tinca,Tinca tinca,tench
4,Actinopterygii,Pleuronectiformes,Bothidae,Bothus,lunatus,Bothus lunatus,Plate fish
"""
OTHERS = [("finnish2", "Esox lucius", 8), ("imagenet_fish", "tench", 1), ("na_freshwater19", "rainbow trout", 2)]


@dataclass(frozen=True)
class ToyWorld:
    """Where the toy photographs, weights and lists lie."""

    photos: Path
    weights: Path
    taxonomy: Path
    species: Path


def make_toy_world(folder: Path) -> ToyWorld:
    """Draw and write everything that a trainer reads."""
    world = ToyWorld(folder / "photos", folder / "backbone.safetensors", folder / "taxonomy.csv", folder / "fish.csv")
    world.photos.mkdir()
    world.taxonomy.write_text(TAXONOMY)
    world.species.write_text(SPECIES)
    torch.manual_seed(3)
    save_file(torchvision.models.mobilenet_v2(num_classes=1001).half().state_dict(), world.weights)
    _write_manifest(world.photos)
    return world


def draw_fish(colour: str, size: int, *, place: int | None = None) -> Image.Image:
    """Draw a fish of this colour, ``size`` pixels long, on water, or at one of many places that look different."""
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX), "lightblue")
    if place is not None:  # without it drawn fish are near-duplicates of each other
        picture = draw_scene(place).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
    ImageDraw.Draw(picture).ellipse([14, 18, 14 + size, 30], fill=colour)
    return picture


def _write_manifest(photos: Path) -> None:
    with (photos / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "source", "domain", "expert_class", "scientific_or_source_name", "group", "sha256"])
        for number, (source, domain, name, other_name, colour) in enumerate(_rows()):
            path = f"{number}.png"
            draw_fish(colour, 16 + number % 10, place=number).save(photos / path)
            writer.writerow([path, source, domain, name, other_name, f"g{number // 2}", ""])


def _rows() -> list[tuple[str, str, str, str, str]]:
    rows = [
        ("kaggle31", "expert", name.replace("KnifeFish", "Knifefish"), "", colour)
        for name, colour in CLASSES.items()
        for _ in range(PHOTOS_A_CLASS)
    ]
    rows += [("bd20", "expert", "Gold Fish", "", "orange"), ("milkfish", "expert", "Trout", "", "pink")]
    rows += [(source, "other_species", "", name, "green") for source, name, count in OTHERS for _ in range(count)]
    return rows + [("ood_imagenet", "non_fish", "", "", "black")] * 2
