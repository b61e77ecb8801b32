"""The options that both training commands have, and where things lie by default.

Owns parsing only, without heavy libraries, so that --help is instant.
"""

from __future__ import annotations

import argparse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
EXPERT_PACK = ROOT / "models" / "expert" / "demo"
ZERO_SHOT_PACK = ROOT / "models" / "zero_shot" / "demo"

SCHEDULE_OPTIONS = ("head_epochs", "small_epochs", "epochs", "size_px", "seed")


def training_parser(description: str | None, *, output: Path) -> argparse.ArgumentParser:
    """Return a parser with the options of both commands; ``output`` is the default folder of the pack."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    backbone = SHARED / "weights" / "mobilenet_v2_imagenet.safetensors"
    taxonomy = SHARED / "lists" / "expert_taxonomy.csv"
    parser.add_argument("--photos", type=Path, default=SHARED / "photos", help="folder with manifest.csv")
    parser.add_argument("--weights", type=Path, default=backbone, help="MobileNetV2 of torchvision to start from")
    parser.add_argument("--taxonomy", type=Path, default=taxonomy, help="the expert's classes in output order")
    parser.add_argument("--output", type=Path, default=output, help="folder of the pack")
    parser.add_argument("--head-epochs", type=int, default=1, help="passes in which the backbone stays as it is")
    parser.add_argument("--small-epochs", type=int, default=8, help="passes of the whole network on small pictures")
    parser.add_argument("--epochs", type=int, default=5, help="passes of the whole network on large pictures")
    parser.add_argument("--size-px", type=int, default=224, help="width and height of a picture in serving")
    parser.add_argument("--seed", type=int, default=7, help="of the split, the new layers and the augmentation")
    parser.add_argument("--threads", type=int, default=2, help="cores to compute on")
    return parser
