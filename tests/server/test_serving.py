"""What ``scripts/serve`` refuses before it starts anything, and how it ends with its processes."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import psutil
import pytest

from server.configuration import LOOPBACK, Settings, free_ports
from server.serving import serve, settings_from, stay


def options(tmp_path: Path, **more: Any) -> Namespace:
    """The command line of scripts/serve, with these changes."""
    told: dict[str, Any] = {
        "packs": "demo",
        "device": "cpu",
        "foreground": False,
        "home": tmp_path / "home",
        "store": tmp_path / "store",
        "species_lists": None,
        "listen": None,
        "no_gateway": False,
        "models": "both",
        "torchserve_listen": None,
        "no_tokens": False,
        "metrics_listen": None,
        "base_port": None,
        "wait": 10.0,
    }
    return Namespace(**{**told, **more})


HALVES = ({"torchserve_listen": "0.0.0.0"}, {"no_tokens": True}, {"models": "expert"})


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_a_gateway_has_a_whole_torchserve_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], half: dict[str, Any]
) -> None:
    assert serve(options(tmp_path, **half)) == 1
    assert "add --no-gateway, or leave" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "something was begun"


def test_metrics_are_shown_where_torchserve_listens_unless_told_otherwise(tmp_path: Path) -> None:
    def hosts(**more: Any) -> tuple[str, str]:
        settings = settings_from(options(tmp_path, **more))
        return settings.torchserve_host, settings.metrics_host

    assert hosts() == (LOOPBACK, LOOPBACK)
    assert hosts(torchserve_listen="10.0.0.7") == ("10.0.0.7", "10.0.0.7")
    assert hosts(metrics_listen="0.0.0.0") == (LOOPBACK, "0.0.0.0")


@pytest.mark.parametrize(("dying", "said"), [(0, "TorchServe has ended"), (1, "the gateway has ended")])
def test_it_ends_when_one_of_its_processes_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dying: int, said: str
) -> None:
    commands = [[sys.executable, "-c", "input()"] for _ in range(2)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE) for command in commands]
    processes = [psutil.Process(one.pid) for one in started]
    processes[dying].kill()
    assert stay(Settings(home=tmp_path, ports=free_ports()), processes) == 1
    assert said in capsys.readouterr().err
    for one in started:
        one.communicate()
