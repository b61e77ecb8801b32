"""The fake is no kinder than the real thing."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tests.handlers.fake_torchserve import FakeContext, FakeMetric

METHODS = ["get_all_request_header", "set_response_content_type", "set_response_header", "set_response_status"]


@pytest.mark.parametrize("method", METHODS)
def test_the_fake_takes_what_the_real_context_takes(method: str) -> None:
    from ts.context import Context

    real, fake = (list(inspect.signature(getattr(kind, method)).parameters) for kind in (Context, FakeContext))
    assert fake == real


def test_the_fake_metric_takes_what_the_real_one_takes() -> None:
    from ts.metrics.caching_metric import CachingMetric

    real, fake = (list(inspect.signature(kind.add_or_update).parameters) for kind in (CachingMetric, FakeMetric))
    assert fake == real


def test_the_real_context_has_what_the_fake_has(tmp_path: Path) -> None:
    from ts.context import Context

    real, fake = Context("toy", str(tmp_path), {}, 8, None, "0.12.0"), FakeContext(tmp_path)
    for name in ("request_ids", "model_yaml_config", "metrics", "system_properties"):
        assert hasattr(real, name)
        assert hasattr(fake, name)
    assert set(fake.system_properties) <= set(real.system_properties)
