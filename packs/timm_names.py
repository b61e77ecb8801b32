"""ConvNeXt as timm names its parts, renamed as torchvision does: the same network in other words.

The repository of the published expert names a timm model as its base, so its file may come in
either form. Nothing but names is known here; shapes are checked by ``packs.layout``.
"""

from __future__ import annotations

import re

_PARTS = {
    "gamma": "layer_scale",
    "conv_dw": "block.0",
    "norm": "block.2",
    "mlp.fc1": "block.3",
    "mlp.fc2": "block.5",
}
_ENDS = {"stem.0": "features.0.0", "stem.1": "features.0.1", "head.norm": "classifier.0", "head.fc": "classifier.2"}
_DOWNSAMPLE = re.compile(r"stages\.(\d)\.downsample\.(\d)\.(weight|bias)")
_BLOCK = re.compile(r"stages\.(\d)\.blocks\.(\d+)\.(gamma|(?:conv_dw|norm|mlp\.fc1|mlp\.fc2)(?=\.))(\.weight|\.bias)?")


def torchvision_name(name: str) -> str:
    """Return torchvision's name for a part of timm's ConvNeXt; any other name comes back as it is."""
    if found := _BLOCK.fullmatch(name):
        stage, block, part, kind = found.groups(default="")
        return f"features.{2 * int(stage) + 1}.{block}.{_PARTS[part]}{kind}"
    if found := _DOWNSAMPLE.fullmatch(name):
        stage, layer, kind = found.groups()
        return f"features.{2 * int(stage)}.{layer}.{kind}"
    start, _, kind = name.rpartition(".")
    return f"{_ENDS[start]}.{kind}" if start in _ENDS else name
