"""When a model is asked at a host, by the clock."""

from __future__ import annotations

from gateway.host_standing import Standing, StandingRule
from gateway.pause import PauseRule

RULE = StandingRule(failures=3, fresh_s=1.0, rest=PauseRule(2.0, 4.0), away=PauseRule(0.5, 1.0))


def test_a_new_one_is_asked_gladly() -> None:
    standing = Standing(RULE)
    assert not standing.is_away(0.0)
    assert not standing.is_resting(0.0)
    assert (standing.is_on_trial, standing.penalty(0.0)) == (False, 0)


def test_failures_count_while_they_are_fresh_and_in_a_row() -> None:
    standing = Standing(RULE)
    standing.failed(10.0)
    standing.failed(10.5)
    assert [standing.penalty(now_s) for now_s in (10.5, 11.4, 11.6)] == [2, 2, 0]
    standing.succeeded()
    standing.failed(12.0)
    assert standing.penalty(12.0) == 1


def test_after_so_many_failures_it_rests_and_then_is_on_trial() -> None:
    standing = Standing(RULE)
    for now_s in (10.0, 10.1, 10.2):
        assert not standing.is_resting(now_s)
        standing.failed(now_s)
    assert [standing.is_resting(now_s) for now_s in (10.3, 12.1, 12.3)] == [True, True, False]
    assert standing.is_on_trial


def test_each_rest_is_longer_until_it_answers() -> None:
    standing = Standing(RULE)
    for now_s in (10.0, 10.1, 10.2, 20.0):  # the last is the trial
        standing.failed(now_s)
    assert [standing.is_resting(now_s) for now_s in (23.9, 24.1)] == [True, False]
    standing.succeeded()
    assert (standing.is_resting(22.0), standing.is_on_trial) == (False, False)


def test_one_that_is_away_is_so_for_a_moment_and_never_on_trial() -> None:
    standing = Standing(RULE)
    for now_s in (10.0, 20.0, 30.0, 40.0):
        standing.went_away(now_s)
    assert [standing.is_away(now_s) for now_s in (40.9, 41.1)] == [True, False]
    assert not standing.is_on_trial
