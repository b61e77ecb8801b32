"""How much may be in flight follows how quickly it comes back."""

from __future__ import annotations

import pytest

from gateway.window import Window, WindowRule

RULE = WindowRule(least=2, most=4, target_s=0.1)

# q: a packet came back quickly with all places taken, f: quickly with places free, s: slowly
STORIES = {
    "at first": ("", 2, 8),
    "quick": ("q", 3, 16),
    "quick, but nobody needs more": ("fff", 2, 8),
    "quick for long": ("qqqqqq", 4, 16),
    "slow": ("ss", 2, 8),
    "quick, then slow": ("qqs", 3, 16),
    "quick, then slow for long": ("qqsss", 2, 8),
    "slow now and then": ("qqsqsq", 4, 16),
}


@pytest.mark.parametrize(("story", "packets", "pictures"), STORIES.values(), ids=STORIES)
def test_the_window(story: str, packets: int, pictures: int) -> None:
    window = Window(RULE, pass_pictures=8)
    for letter in story:
        window.came_back(0.2 if letter == "s" else 0.05, was_full=letter != "f")
    assert (window.packets, window.packet_pictures) == (packets, pictures)


def test_a_packet_never_holds_more_than_packets_may() -> None:
    window = Window(RULE, pass_pictures=48)
    assert window.packet_pictures == 48
    window.came_back(0.01, was_full=True)
    assert window.packet_pictures == 64
