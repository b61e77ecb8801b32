"""Writing a pack's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training import pack


def test_weights_beyond_half_precision_are_refused(tmp_path: Path):
    network = torch.nn.BatchNorm2d(1)
    network.running_var.fill_(1e6)
    with pytest.raises(ValueError, match=r"'running_var' holds values beyond half precision \(1e\+06\)"):
        pack.save_weights(network, tmp_path)
