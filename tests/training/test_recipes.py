"""A toy training from end to end: a few steps on drawn fish make packs that load and answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from fishgate.device import Device
from fishgate.expert import load_expert
from fishgate.model_card import ModelCard
from fishgate.preprocessing import to_pixels
from fishgate.zero_shot import load_zero_shot
from tests.training.toy_photos import ToyWorld, draw_fish, make_toy_world
from training import expert_recipe, pack, zero_shot_recipe
from training.schedule import Schedule

CPU = Device("cpu")
SCHEDULE = Schedule(head_epochs=1, small_epochs=0, epochs=1, size_px=64, seed=7)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ToyWorld:
    return make_toy_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def expert_folder(world: ToyWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "expert"
    places = {"photos": world.photos, "weights": world.weights, "taxonomy": world.taxonomy, "output": folder}
    expert_recipe.train_expert(expert_recipe.Settings(**places, schedule=SCHEDULE))
    return folder


@pytest.fixture(scope="module")
def zero_shot_folder(world: ToyWorld, expert_folder: Path) -> Path:
    folder, deferring = expert_folder.parent / "zero_shot", expert_folder.parent / "deferring_expert"
    shutil.copytree(expert_folder, deferring)
    pack.save_card(load_expert(deferring, CPU).card, deferring, gate=pack.NO_GATE)
    places = {"photos": world.photos, "weights": world.weights, "taxonomy": world.taxonomy, "output": folder}
    zero_shot_recipe.train_zero_shot(
        zero_shot_recipe.Settings(**places, species=world.species, expert=deferring, schedule=SCHEDULE)
    )
    return folder


def test_the_expert_loads_and_answers(expert_folder: Path):
    expert = load_expert(expert_folder, CPU)
    assert [taxon.label for taxon in expert.card.taxa] == ["Gold Fish", "KnifeFish", "Trout"]
    probabilities = expert.predict([to_pixels(draw_fish("orange", 30), expert.card.preprocessing)])
    assert probabilities[0].shape == (3,)
    assert probabilities[0].sum() == pytest.approx(1.0, abs=1e-5)


def test_the_expert_never_trains_on_sources_for_testing(expert_folder: Path):
    card = load_expert(expert_folder, CPU).card
    assert list(card.training["sources"]) == ["kaggle31"]
    assert set(card.metrics["never_trained_sources"]) == {"bd20", "milkfish"}
    assert card.training["photographs"] == {"train": 18, "calibration": 6, "test": 6}


def test_the_expert_figures_count_every_photograph(expert_folder: Path):
    card = load_expert(expert_folder, CPU).card
    assert card.metrics["kept_back"]["kaggle31"]["photographs"] == 6
    assert card.metrics["no_label_fits"]["other_species"]["photographs"] == 9  # without the trout
    assert card.metrics["no_label_fits"]["non_fish"]["photographs"] == 2
    assert "6 photographs of kaggle31" in card.gate.evidence


def test_zero_shot_loads_and_answers(zero_shot_folder: Path):
    zero_shot = load_zero_shot(zero_shot_folder, CPU)
    labels = ["Gold Fish", "KnifeFish", "Trout", "Northern pike", "Tench"]
    assert [taxon.label for taxon in zero_shot.card.taxa] == labels
    pixels = to_pixels(draw_fish("green", 30), zero_shot.card.preprocessing)
    all_labels, own_labels = zero_shot.predict([pixels, pixels], [None, ("Tench", "a boot")])
    assert (all_labels.shape, own_labels.shape) == ((5,), (2,))


def test_zero_shot_trains_on_other_species_but_never_on_things_that_are_no_fish(zero_shot_folder: Path):
    card = load_zero_shot(zero_shot_folder, CPU).card
    assert set(card.training["sources"]) == {"kaggle31", "finnish2", "imagenet_fish", "na_freshwater19"}
    assert set(card.metrics["no_label_fits"]) == {"non_fish"}


@pytest.mark.parametrize("folder", ["expert_folder", "zero_shot_folder"])
def test_cards_say_what_they_must(folder: str, request: pytest.FixtureRequest):
    loader = load_expert if folder == "expert_folder" else load_zero_shot
    card: ModelCard = loader(request.getfixturevalue(folder), CPU).card
    assert card.version == "demo-1"
    assert card.training["seed"] == 7
    assert card.training["start"]["file"] == "backbone.safetensors"
    assert [stage["name"] for stage in card.training["stages"]][-1] == "whole, large"
    assert "rights are mixed or unverified" in card.licence
    assert "Apache-2.0" in card.licence


def test_weights_beyond_half_precision_are_refused(tmp_path: Path):
    network = torch.nn.BatchNorm2d(1)
    network.running_var.fill_(1e6)
    with pytest.raises(ValueError, match=r"'running_var' holds values beyond half precision \(1e\+06\)"):
        pack.save_weights(network, tmp_path)
