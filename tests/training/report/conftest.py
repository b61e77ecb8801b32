"""One toy run with its report, made once, for all tests of the report."""

from __future__ import annotations

import pytest

from tests.training.report.toy_run import LABELS, make_toy_run
from training.report.page import write_report
from training.run_folder import RunFolder


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A toy run with all its files and its report; tests that change it take a copy."""
    run = make_toy_run(tmp_path_factory.mktemp("toy"), LABELS)
    write_report(run)
    return run
