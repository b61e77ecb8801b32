"""Pauses grow while a model is away."""

from __future__ import annotations

import pytest

from gateway.pause import Pause, PauseRule


def test_there_is_none_at_first() -> None:
    assert Pause(PauseRule()).left_s(0.0) <= 0.0


def test_each_is_twice_as_long_up_to_the_longest() -> None:
    pause, now_s, lengths = Pause(PauseRule(first_s=0.1, longest_s=0.5)), 10.0, []
    for _ in range(4):
        pause.begin(now_s)
        lengths.append(pause.left_s(now_s))
        now_s += lengths[-1]
    assert lengths == pytest.approx([0.1, 0.2, 0.4, 0.5])


def test_what_fails_during_a_pause_does_not_prolong_it() -> None:
    pause = Pause(PauseRule(first_s=0.1, longest_s=0.5))
    pause.begin(0.0)
    pause.begin(0.05)
    assert pause.left_s(0.05) == pytest.approx(0.05)


def test_when_the_model_is_back_the_next_is_a_short_one() -> None:
    pause = Pause(PauseRule(first_s=0.1, longest_s=0.5))
    pause.begin(0.0)
    pause.begin(1.0)
    pause.end()
    assert pause.left_s(1.0) <= 0.0
    pause.begin(2.0)
    assert pause.left_s(2.0) == pytest.approx(0.1)
