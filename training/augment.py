"""Random changes to training pictures, so that the network learns the fish and not the photograph.

Owns the changes; how strong they are, the recipe says. All work on a whole batch of tensors at once:
on two cores that is several times faster than picture by picture. Chance is drawn on the CPU, so that
a seed gives the same changes on every device.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from training.recipe import Strength

USUAL = Strength()


def augment(pictures: torch.Tensor, size_px: int, strength: Strength = USUAL) -> torch.Tensor:
    """Change each picture (B, 3, H, W), 0 to 255, in its own way; return (B, 3, size_px, size_px)."""
    changed = _recoloured(_reframed(pictures, size_px, strength), strength)
    return _erased(_blurred(changed, strength), strength)


def _reframed(pictures: torch.Tensor, size_px: int, strength: Strength) -> torch.Tensor:
    """Crop, mirror and turn in one resampling."""
    count = len(pictures)
    area = _uniform(count, strength.least_area, 1.0)
    ratio = torch.exp(_uniform(count, -1, 1) * math.log(strength.aspect))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    x, y = _uniform(count, -1, 1) * (1 - width), _uniform(count, -1, 1) * (1 - height)
    turn = _uniform(count, -1, 1) * math.radians(strength.turn_degrees)
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    rows = [width * turn.cos() * mirror, -height * turn.sin(), x, width * turn.sin() * mirror, height * turn.cos(), y]
    frames = torch.stack(rows, dim=1).view(count, 2, 3).to(pictures.device)
    grid = functional.affine_grid(frames, [count, 3, size_px, size_px], align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _recoloured(pictures: torch.Tensor, strength: Strength) -> torch.Tensor:
    count, device = len(pictures), pictures.device
    saturation = _around_one(count, strength.light)
    saturation[torch.rand(count) < strength.grey_chance] = 0
    grey = pictures.mean(dim=1, keepdim=True)  # (B, 1, H, W)
    pictures = grey + (pictures - grey) * saturation.to(device)
    mean = grey.mean(dim=(2, 3), keepdim=True)
    pictures = mean + (pictures - mean) * _around_one(count, strength.light).to(device)
    tint = 1 + _uniform(count * 3, -1, 1).view(count, 3, 1, 1) * strength.tint
    tint = tint * _around_one(count, strength.light)
    return (pictures * tint.to(device)).clamp(0, 255)


def _blurred(pictures: torch.Tensor, strength: Strength) -> torch.Tensor:
    """Take the fine detail from some pictures, as a small or soft photograph has none."""
    chosen = torch.nonzero(torch.rand(len(pictures)) < strength.blur_chance).flatten().to(pictures.device)
    if not len(chosen):
        return pictures
    small = functional.avg_pool2d(pictures[chosen], 2)
    pictures[chosen] = functional.interpolate(small, size=pictures.shape[2:], mode="bilinear")
    return pictures


def _erased(pictures: torch.Tensor, strength: Strength) -> torch.Tensor:
    """Hide a box in some pictures, so that no single spot decides."""
    height, width = pictures.shape[2:]
    for i in torch.nonzero(torch.rand(len(pictures)) < strength.erase_chance).flatten().tolist():
        box_height, box_width = (int(side * _uniform(1, 0.15, 0.45)) for side in (height, width))
        top = int(torch.randint(height - box_height, (1,)))
        left = int(torch.randint(width - box_width, (1,)))
        pictures[i, :, top : top + box_height, left : left + box_width] = pictures[i].mean()
    return pictures


def _uniform(count: int, low: float, high: float) -> torch.Tensor:
    return torch.rand(count) * (high - low) + low


def _around_one(count: int, width: float) -> torch.Tensor:
    return _uniform(count, 1 - width, 1 + width).view(count, 1, 1, 1)
