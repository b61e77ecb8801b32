"""The circuit breaker opens, rests, and lets one probe through."""

from __future__ import annotations

import pytest

from gateway.breaker import Breaker, BreakerRule, State

RULE = BreakerRule(failures=3, rest_s=10.0)

# f: failed, s: succeeded, g: gave up, a: is admitted, r: is refused, digits: so many seconds pass
STORIES = {
    "closed at first": ("aaa", State.CLOSED),
    "a few failures": ("afafa", State.CLOSED),
    "enough failures": ("afafafr", State.OPEN),
    "failures with a success between": ("afafasafafa", State.CLOSED),
    "giving up is no failure": ("agagagagafafa", State.CLOSED),
    "it rests": ("afafaf9rr", State.OPEN),
    "then one probe": ("afafaf91arr", State.HALF_OPEN),
    "the probe succeeds": ("afafaf91arsaaa", State.CLOSED),
    "the probe fails": ("afafaf91arfr9r", State.OPEN),
    "a probe after the second rest": ("afafaf91af91ar", State.HALF_OPEN),
    "the probe gives up": ("afafaf91agarr", State.HALF_OPEN),
    "one failure after it was closed again": ("afafaf91asafa", State.CLOSED),
    "those admitted before do not prolong the rest": ("aaaafff9f1a", State.HALF_OPEN),
    "one admitted before tells that it is well": ("aaaafffsa", State.CLOSED),
}


@pytest.mark.parametrize(("story", "state"), STORIES.values(), ids=STORIES)
def test_the_breaker(story: str, state: State) -> None:
    now = [100.0]
    breaker = Breaker(RULE, clock=lambda: now[0])
    for letter in story:
        if letter.isdigit():
            now[0] += int(letter)
        elif letter in "ar":
            assert breaker.admits() == (letter == "a")
        else:
            {"f": breaker.failed, "s": breaker.succeeded, "g": breaker.gave_up}[letter]()
    assert breaker.state is state


def test_each_change_is_told_once() -> None:
    changes: list[State] = []
    now = [0.0]
    breaker = Breaker(RULE, clock=lambda: now[0], on_change=changes.append)
    for _ in range(5):
        breaker.failed()
    now[0] = 10.0
    breaker.admits()
    breaker.succeeded()
    breaker.succeeded()
    assert changes == [State.OPEN, State.HALF_OPEN, State.CLOSED]
