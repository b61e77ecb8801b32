"""Rates follow their schedule, averages follow the weights, mixed pictures keep their shares."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.training.toy_course import toy_learner, toy_stage
from training.optimisation import Average, Precision, make_optimiser, make_schedule, mix, rates_of

SCHEDULES = {  # of ten steps at a highest rate of 1e-2: first, third, sixth and last rate
    "constant": [1e-2, 1e-2, 1e-2, 1e-2],
    "cosine": [1e-2, 9.045e-3, 5e-3, 2.447e-4],
    "one_cycle": [4e-4, 9.619e-3, 5e-3, 4e-8],  # the highest is the second
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_follow_the_schedule(schedule: str):
    learner, stage = toy_learner(), toy_stage(schedule=schedule, backbone_rate=1e-3)
    optimiser = make_optimiser(learner, stage)
    changes = make_schedule(optimiser, stage, steps=10)
    rates = []
    for _ in range(10):
        rates.append(rates_of(optimiser))
        optimiser.step()
        changes.step()
    assert [rates[step]["head"] for step in (0, 2, 5, 9)] == pytest.approx(SCHEDULES[schedule], rel=1e-3)
    assert [rate["backbone"] for rate in rates] == pytest.approx([rate["head"] / 10 for rate in rates])


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_the_optimiser_is_the_one_named(name: str, kind: type[torch.optim.Optimizer]):
    optimiser = make_optimiser(toy_learner(), toy_stage(optimiser=name, weight_decay=0.3))
    assert type(optimiser) is kind
    assert {group["weight_decay"] for group in optimiser.param_groups} == {0.3}


def test_a_part_without_a_rate_is_left_to_itself():
    optimiser = make_optimiser(toy_learner(), toy_stage(backbone_rate=0.0))
    assert [group["name"] for group in optimiser.param_groups] == ["head"]
    assert rates_of(optimiser) == {"head": 1e-2, "backbone": 0.0}


def test_an_average_lags_behind_the_weights_and_can_be_put_in_place():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = Average(network, 0.5)
    for _ in range(40):
        nn.init.ones_(network.weight)
        average.update()
    with average.in_place():
        assert network.weight.item() == pytest.approx(1.0, abs=1e-4)
    nn.init.constant_(network.weight, 3.0)
    average.update()
    with average.in_place():
        assert network.weight.item() == pytest.approx(2.0, abs=1e-3)
    assert network.weight.item() == 3.0
    average.put_in_place()
    assert network.weight.item() == pytest.approx(2.0, abs=1e-3)


def test_the_first_steps_of_an_average_forget_the_start():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = Average(network, 0.999)
    nn.init.ones_(network.weight)
    for _ in range(10):
        average.update()
    average.put_in_place()
    assert network.weight.item() > 0.99


def test_mixed_pictures_are_made_of_two_by_the_share_that_is_told():
    torch.manual_seed(1)
    pictures = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 4, 4)
    mixed, others, share = mix(pictures, 0.4)
    assert 0 < share < 1
    assert sorted(others.tolist()) == list(range(6))
    expected = (1 - share) * torch.arange(6.0) + share * others
    torch.testing.assert_close(mixed[:, 0, 0, 0], expected)


def test_a_step_clips_the_gradient_of_a_bad_batch():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    Precision("cpu").step(1e6 * network(torch.ones(1, 1)).sum(), optimiser)
    assert network.weight.item() == pytest.approx(-5.0, abs=1e-3)
