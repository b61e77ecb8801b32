"""Back-off: what is asked again, how long is waited, and what a server's own wish counts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from fishgate_client import DamagedImage, InternalError, InvalidOption, Overloaded, RateLimited, Retries, Unreachable
from fishgate_client.errors import FishgateError
from fishgate_client.message import retry_after_s

RETRIES = Retries(attempts=5, first_wait_s=1.0, longest_wait_s=4.0)


@pytest.mark.parametrize(("attempt", "least_s", "most_s"), [(1, 0.5, 1.0), (2, 1.0, 2.0), (3, 2.0, 4.0), (4, 2.0, 4.0)])
def test_waits_double_up_to_a_limit(attempt: int, least_s: float, most_s: float) -> None:
    waits_s = [RETRIES.wait_s(Unreachable("gone"), attempt) for _ in range(50)]
    assert all(wait_s is not None and least_s <= wait_s <= most_s for wait_s in waits_s)
    assert len(set(waits_s)) > 1, "all clients would come back together"


def test_patience_has_an_end() -> None:
    assert RETRIES.wait_s(Overloaded("busy"), 5) is None
    with pytest.raises(ValueError, match="got 0"):
        Retries(attempts=0)


@pytest.mark.parametrize("kind", [DamagedImage, InvalidOption, InternalError])
def test_what_time_does_not_mend_is_not_asked_again(kind: type[FishgateError]) -> None:
    assert RETRIES.wait_s(kind("no"), 1) is None


def test_a_servers_wish_is_kept_to() -> None:
    told = RETRIES.wait_s(RateLimited("slow down", retry_after_s=20.0), 1)
    assert told is not None
    assert 20.0 < told <= 21.0
    assert RETRIES.wait_s(RateLimited("tomorrow", retry_after_s=3600.0), 1) is None


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), (" 0 ", 0.0), (None, None), ("", None), ("soon", None)])
def test_retry_after_in_seconds(text: str | None, seconds: float | None) -> None:
    assert retry_after_s(text) == seconds


def test_retry_after_as_a_date() -> None:
    later = datetime.now(timezone.utc) + timedelta(seconds=100)
    assert retry_after_s(format_datetime(later, usegmt=True)) == pytest.approx(100, abs=30)
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
