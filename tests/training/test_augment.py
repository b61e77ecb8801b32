"""The random changes keep the shape and the range, and can be switched off."""

from __future__ import annotations

import torch

from training.augment import Strength, augment

NONE = Strength(least_area=1, aspect=1, turn_degrees=0, light=0, tint=0, grey_chance=0, blur_chance=0, erase_chance=0)


def noise() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(16, 3, 48, 48) * 255


def test_pictures_come_back_in_the_size_and_range_asked_for():
    given = noise()
    before = given.clone()
    changed = augment(given, 32)
    assert changed.shape == (16, 3, 32, 32)
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert torch.equal(given, before)


def test_each_picture_is_changed_in_its_own_way():
    changed = augment(noise()[:1].expand(8, -1, -1, -1).contiguous(), 48)
    assert all(not torch.allclose(changed[0], other, atol=1) for other in changed[1:])


def test_without_strength_a_picture_is_only_mirrored():
    given = noise()
    changed = augment(given, 48, NONE)
    is_same = [torch.allclose(new, old, atol=0.05) for new, old in zip(changed, given, strict=True)]
    is_mirrored = [torch.allclose(new, old.flip(2), atol=0.05) for new, old in zip(changed, given, strict=True)]
    assert any(is_same)
    assert any(is_mirrored)
    assert all(same or mirrored for same, mirrored in zip(is_same, is_mirrored, strict=True))


def test_full_greyness_leaves_no_colour():
    strength = Strength(grey_chance=1, tint=0, blur_chance=0, erase_chance=0)
    changed = augment(noise(), 48, strength)
    torch.testing.assert_close(changed[:, 0], changed[:, 2], rtol=0, atol=0.01)
