"""Rates: a bucket of tokens for each key."""

from __future__ import annotations

import pytest

from gateway.errors import RateLimited
from gateway.keys import Key
from gateway.rate_limit import Bucket, RateLimits


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def key(name: str, rate: float | None) -> Key:
    return Key(name=name, sha256="0" * 64, rate_per_s=rate, made="now")


def taken(limits: RateLimits, one: Key, times: int) -> int:
    """How many of so many requests get through."""
    through = 0
    for _ in range(times):
        try:
            limits.take(one)
            through += 1
        except RateLimited:
            pass
    return through


@pytest.mark.parametrize(("rate", "burst"), [(10.0, 20), (1.0, 2), (0.25, 1), (2.5, 5)])
def test_a_burst_of_two_seconds_is_let_through_at_once(rate: float, burst: int) -> None:
    limits = RateLimits(clock=Clock())
    assert taken(limits, key("boat", rate), 100) == burst


def test_over_a_minute_no_more_than_the_rate_gets_through() -> None:
    clock = Clock()
    limits = RateLimits(clock=clock)
    through = 0
    for _ in range(600):
        clock.now_s += 0.1
        through += taken(limits, key("boat", 5.0), 3)
    assert 300 <= through <= 310


def test_the_refusal_says_when_to_come_again() -> None:
    clock = Clock()
    limits = RateLimits(clock=clock)
    slow = key("boat", 0.5)
    limits.take(slow)
    with pytest.raises(RateLimited, match=r"allowed are 0.5 a second, 1 at once") as caught:
        limits.take(slow)
    assert caught.value.retry_after_s == pytest.approx(2.0)
    clock.now_s += caught.value.retry_after_s
    limits.take(slow)


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = Clock()
    bucket = Bucket(1.0, clock=clock)
    clock.now_s += 1_000.0
    assert [bucket.take() == 0.0 for _ in range(3)] == [True, True, False]


def test_keys_do_not_share_a_bucket() -> None:
    limits = RateLimits(clock=Clock())
    assert taken(limits, key("boat", 1.0), 9) == 2
    assert taken(limits, key("lab", 1.0), 9) == 2


def test_a_key_whose_rate_was_changed_gets_a_new_bucket() -> None:
    limits = RateLimits(clock=Clock())
    assert taken(limits, key("boat", 1.0), 9) == 2
    assert taken(limits, key("boat", 4.0), 9) == 8


@pytest.mark.parametrize("one", [None, key("free", None)])
def test_who_has_no_rate_is_not_limited(one: Key | None) -> None:
    limits = RateLimits(clock=Clock())
    for _ in range(1_000):
        limits.take(one)
