"""The figures of TorchServe's hosts, as Prometheus asks for them.

Owns their names. They are read from the hosts' own accounts whenever somebody looks, and cost a picture nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.host import State
from gateway.hosts import Hosts

_PREFIX = "fishgate_gateway_host"


class HostFigures(Collector):
    """The hosts that there are at the moment, by address and port."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    def collect(self) -> Iterator[Metric]:
        """Return one line for each host; for each of its states and outcomes, where the series has them."""
        outstanding = GaugeMetricFamily(
            f"{_PREFIX}_outstanding", "Packets that a host has not answered yet", labels=["host"]
        )
        state = GaugeMetricFamily(f"{_PREFIX}_state", "A host's state: 1 for the one it has", labels=["host", "state"])
        requests = CounterMetricFamily(
            f"{_PREFIX}_requests",
            "Packets that a host was asked about, by what came of them",
            labels=["host", "outcome"],
        )
        for host in list(self._hosts.all):
            outstanding.add_metric([host.name], host.busy)
            for one in State:
                state.add_metric([host.name, one.value], host.state is one)
            for outcome, number in sorted(host.outcomes.items()):
                requests.add_metric([host.name, outcome], number)
        yield from (outstanding, state, requests)
