"""Three real TorchServes and a fourth, with paced models, in namespaces of their own: none of the requests is lost.

What the trouble is stands in ``benchmarks/measure_hosts.py``. It measures throughput too: that wants a quiet machine,
and is no matter of a test. ``test_hosts.py`` looks at each trouble closely, with stand-ins.
"""

from __future__ import annotations

import argparse

import pytest

from benchmarks.measure_hosts import measure
from benchmarks.namespaces import why_not

SHORT = argparse.Namespace(hosts=3, pace=0.1, deferred=0.05, seconds=1.0, warm_up=0.5, trouble=15.0)


@pytest.mark.e2e
@pytest.mark.slow
def test_one_is_killed_one_cut_off_one_slowed_one_added_and_nothing_lost() -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    outcome = measure(SHORT)
    assert outcome.details["happened"] == ["killed", "cut off", "mended", "slowed", "added"]
    assert outcome.figures["in_trouble"] > 100
    assert (outcome.figures["lost"], outcome.details["reasons"]) == (0, {})
