"""Pictures of no class make the network sure of none; those kept back are not shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.toy_course import SIDE_PX, toy_course, toy_learner, toy_stage
from training.exposure import Outliers, exposed_photos
from training.photos import EXPERT, NON_FISH, OTHER_SPECIES, Photo
from training.pictures import InMemory
from training.recipe import OutlierExposure
from training.run_folder import RunFolder
from training.splits import Fractions, Split, split_by_group
from training.stages import run_stages

FRACTIONS = Fractions(0.2, 0.2, 0.2)
GREY = np.full((6, SIDE_PX, SIDE_PX, 3), 127, dtype=np.uint8)


def photos(domain: str, source: str, subject: str, count: int) -> list[Photo]:
    names = [f"{source}-{subject}-{number}" for number in range(count)]
    return [Photo(path=name, source=source, domain=domain, subject=subject, group=name) for name in names]


OTHER = photos(OTHER_SPECIES, "reef", "wrasse", 40) + photos(OTHER_SPECIES, "reef", "lone goby", 1)
ALL = [
    *OTHER,
    *photos(OTHER_SPECIES, "far", "wrasse", 20),
    *photos(OTHER_SPECIES, "reef", "rainbow trout", 20),
    *photos(NON_FISH, "things", "teapot", 20),
    *photos(EXPERT, "tray", "Trout", 20),
]


def exposed(**changed: object) -> list[Photo]:
    settings = {"domains": (OTHER_SPECIES, NON_FISH), "unseen_sources": ("far",), "share": 1.0} | changed
    exposure = OutlierExposure.model_validate(settings)
    return exposed_photos(ALL, exposure, fractions=FRACTIONS, seed=7, fits_a_class=["rainbow trout"])


def test_no_class_of_the_expert_and_no_unseen_source_is_shown():
    shown = exposed()
    assert {photo.domain for photo in shown} == {OTHER_SPECIES, NON_FISH}
    assert {photo.source for photo in shown} == {"reef", "things"}
    assert "rainbow trout" not in {photo.subject for photo in shown}


def test_what_zero_shot_keeps_back_is_not_shown():
    other = [photo for photo in ALL if photo.domain == OTHER_SPECIES]
    splits = split_by_group(other, seed=7, fractions=FRACTIONS, training_sources=())
    kept_back = {photo for split in Split if split is not Split.TRAIN for photo in splits[split]}
    assert kept_back
    assert not kept_back & set(exposed())


def test_only_the_share_of_the_groups_is_shown():
    half = exposed(share=0.5)
    assert 0 < len(half) < len(exposed())
    assert set(half) < set(exposed())
    assert exposed(share=0.0) == []
    assert half == exposed(share=0.5), "the same are shown each time"


@pytest.mark.parametrize("sure_of", [0.0, 1.0, 5.0])
def test_equal_shares_cost_least(sure_of: float):
    outliers = Outliers(InMemory(GREY), 6, batch=4, weight=0.5)
    scores = torch.tensor([[sure_of, 0.0, 0.0, 0.0]])
    least = 0.5 * np.log(4)
    found = float(outliers.loss(scores))
    assert found == pytest.approx(least) if sure_of == 0 else found > least + 0.01


def surest_of_grey(folder: Path, outliers: Outliers | None, **changed: object) -> tuple[float, torch.Tensor]:
    folder.mkdir()
    torch.manual_seed(3)
    learner = toy_learner()
    run_stages(learner, toy_course(toy_stage(epochs=25, **changed), outliers=outliers), RunFolder(folder))
    learner.network.eval()
    pictures = (torch.from_numpy(GREY[:1]).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        logits = learner.scores(pictures)
    return float(logits.softmax(dim=1).max()), logits


def test_a_network_that_was_shown_them_is_less_sure_of_them(tmp_path: Path):
    shown = Outliers(InMemory(GREY), 6, batch=8, weight=2.0)
    with_them, _ = surest_of_grey(tmp_path / "with", shown)
    without, _ = surest_of_grey(tmp_path / "without", None)
    assert with_them < without - 0.05


def test_a_head_on_a_frozen_backbone_is_not_shown_them(tmp_path: Path):
    shown = Outliers(InMemory(GREY), 6, batch=8, weight=2.0)
    _, with_them = surest_of_grey(tmp_path / "with", shown, backbone_rate=0.0)
    _, without = surest_of_grey(tmp_path / "without", None, backbone_rate=0.0)
    assert torch.equal(with_them, without)
