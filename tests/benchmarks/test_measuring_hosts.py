"""How throughput by number of hosts and a run in trouble are judged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from benchmarks.load import Run, Sample
from benchmarks.measure_hosts import outcome_from
from benchmarks.named_hosts import NamedHosts
from benchmarks.outcome import result_line

GOOD = Sample(0, 0.5, {"label": "Tilapia"}, None)
LOST = Sample(1, 0.5, None, "overloaded")

CASES = {
    "linear, none lost": ({1: 20.0, 2: 39.0, 3: 57.0}, [GOOD], True),
    "two hosts too slow": ({1: 20.0, 2: 35.0, 3: 57.0}, [GOOD], False),
    "one lost": ({1: 20.0, 2: 40.0, 3: 60.0}, [GOOD, LOST], False),
}


@pytest.mark.parametrize(("rates", "samples", "is_reached"), CASES.values(), ids=CASES)
def test_every_number_of_hosts_counts_and_every_request(
    rates: dict[int, float], samples: list[Sample], is_reached: bool
) -> None:
    outcome = outcome_from(rates, 0.4, Run(samples, 10.0), ["killed"])
    assert outcome.is_reached is is_reached
    assert result_line(outcome).startswith(
        f"hosts: linear={min(rates[n] / 20 / n for n in rates):.3f} per_second=1:20.0,"
    )


FIGURES = """# HELP fishgate_gateway_host_state A host's state
fishgate_gateway_host_outstanding{host="198.18.0.2:8080"} 3.0
fishgate_gateway_host_state{host="198.18.0.2:8080",state="in"} 0.0
fishgate_gateway_host_state{host="198.18.0.2:8080",state="out"} 1.0
fishgate_gateway_host_requests_total{host="198.18.0.2:8080",outcome="ok"} 17.0
fishgate_gateway_ready 1.0
"""


class _Figures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(FIGURES.encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[NamedHosts]:
    with HTTPServer(("127.0.0.1", 0), _Figures) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield NamedHosts(f"http://127.0.0.1:{server.server_port}", tmp_path / "hosts")
        server.shutdown()
        thread.join()


def test_what_the_gateway_says_of_its_hosts_is_read(gateway: NamedHosts) -> None:
    assert gateway.state_of("198.18.0.2") == "out"
    assert gateway.answered_by("198.18.0.2") == 17
    assert (gateway.state_of("198.18.0.6"), gateway.answered_by("198.18.0.6")) == ("", 0)


def test_a_name_leads_to_new_hosts_in_the_file_that_is_there(gateway: NamedHosts, tmp_path: Path) -> None:
    gateway.name(["198.18.0.2"])
    before = (tmp_path / "hosts").stat().st_ino
    gateway.name(["198.18.0.2", "198.18.0.6"])
    lines = (tmp_path / "hosts").read_text().splitlines()
    assert lines == ["127.0.0.1 localhost", "198.18.0.2 fish.test", "198.18.0.6 fish.test"]
    assert (tmp_path / "hosts").stat().st_ino == before
