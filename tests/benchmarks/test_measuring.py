"""The pure parts of the measurements: what is counted as what."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmarks.bare import BareLoop, loop_per_second
from benchmarks.crowd import shared_out, together
from benchmarks.footprint import Footprint, heap_used_mb, spooled
from benchmarks.killer import Kill
from benchmarks.load import Run, Sample
from benchmarks.measure_gpu import Point, outcome_from
from benchmarks.measure_isolation import deferred_rate, round_from
from benchmarks.measure_leaks import left_behind, wrongly_answered
from benchmarks.measure_losses import hit_by, is_deferred, log_text, retried_nodes
from benchmarks.measure_species_lists import measure as measure_species_lists
from benchmarks.measure_species_lists import outcome_from as species_lists_outcome
from benchmarks.outcome import MeasurementError
from benchmarks.pictures import bad_requests
from benchmarks.random_models import workflow_with
from benchmarks.scrape import batches_between, batches_from, full_fraction, mean_size

LOG = """\
2026-11-21T02:20:01,1 ERROR DagExecutor - Timed out while executing expert for attempt 0
2026-11-21T02:20:01,1 ERROR DagExecutor - Timed out while executing router for attempt 0
2026-11-21T02:20:01,1 ERROR DagExecutor - Timed out while executing expert for attempt 0
2026-11-21T02:20:01,1 ERROR DagExecutor - Failed to execute workflow Node after 1 attempts : Error executing expert
"""

PROMETHEUS = """\
# TYPE fishgate_batches_total counter
fishgate_batches_total{model="expert",size="8",} 12.0
fishgate_batches_total{model="expert",size="1",} 3.0
fishgate_batches_total{model="zero_shot",size="8",} 5.0
fishgate_deferrals_total 7.0
"""

HEAPS = {
    "G1": " garbage-first heap   total 262144K, used 28672K [0x0, 0x0)\n  region size 1024K, 5 young\n"
    " Metaspace       used 60000K, committed 60500K, reserved 1114112K\n",
    "Serial": " def new generation   total 78656K, used 8192K [0x0, 0x0, 0x0)\n  eden space 69952K,  11% used\n"
    " tenured generation   total 174784K, used 20480K [0x0, 0x0, 0x0)\n"
    " Metaspace       used 60000K, committed 60500K\n",
}

STATE = Footprint(
    java_threads=80,
    workflow_threads=0,
    java_heap_mb=40.0,
    java_rss_mb=400.0,
    workers_rss_mb={"expert": 500.0, "router": 100.0},
    queued=0,
    spooled=0,
)


def answered(index: int, *, deferred: bool = False, seconds: float = 0.01, started_s: float = 0.0) -> Sample:
    return Sample(index, seconds, {"label": "x", "deferred": deferred, "degraded": False}, None, started_s)


def test_retries_are_read_from_the_log() -> None:
    assert retried_nodes(LOG) == {"expert": 2, "router": 1}


def test_only_the_log_of_the_run_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n" + LOG)
    assert log_text(tmp_path / "log", len("before\n")) == LOG


def test_deferred_pictures_are_spread_evenly() -> None:
    flags = [is_deferred(index, 0.1) for index in range(1000)]
    assert sum(flags) == 100
    assert sum(flags[:500]) == 50


def test_requests_under_way_at_a_kill_are_counted() -> None:
    run = Run([answered(0, started_s=0.0, seconds=5.0), answered(1, started_s=6.0, seconds=1.0)])
    assert hit_by(run, [Kill("expert", at_s=103.0), Kill("router", at_s=104.0)], started_s=100.0) == 1


def test_deferred_traffic_is_a_fraction_of_the_whole() -> None:
    assert deferred_rate(70.0, 0.3) == pytest.approx(30.0)


def test_a_round_is_judged_by_its_confident_pictures() -> None:
    run = Run([answered(i) for i in range(99)] + [answered(99, deferred=True, seconds=9.0)], seconds=1.0)
    found = round_from(run, latest_s=0.001)
    assert found.p99_ms == pytest.approx(10.0)
    assert (found.confident, found.deferred, found.lost) == (99, 1, 0)


@pytest.mark.parametrize("text", HEAPS.values(), ids=HEAPS)
def test_the_heap_is_read_whichever_collector(text: str) -> None:
    assert heap_used_mb(text) == pytest.approx(28672 * 1024 / 1e6)


def test_an_unknown_form_of_heap_is_refused() -> None:
    with pytest.raises(MeasurementError, match="in a form that is not known"):
        heap_used_mb(" Metaspace used 60000K")


def test_waiting_pictures_are_counted(tmp_path: Path) -> None:
    assert spooled(tmp_path) == 0
    (tmp_path / "fishgate-spool").mkdir()
    (tmp_path / "fishgate-spool" / "a").touch()
    assert spooled(tmp_path) == 1


def test_small_changes_are_no_leak() -> None:
    after = replace(STATE, java_threads=83, java_heap_mb=50.0, workers_rss_mb={"expert": 520.0, "router": 110.0})
    assert left_behind(STATE, after) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"java_threads": 84}, "Java threads 80 → 84"),
        ({"workflow_threads": 2}, "2 workflow threads"),
        ({"java_heap_mb": 70.0}, "Java heap 40 → 70 MB"),
        ({"workers_rss_mb": {"expert": 530.0, "router": 100.0}}, "expert 500 → 530 MB"),
        ({"spooled": 3}, "0 requests in queues, 3 pictures in the spool"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_leak_is_told(change: dict[str, object], told: str) -> None:
    assert left_behind(STATE, replace(STATE, **change)) == [told]  # type: ignore[arg-type]


def test_a_wrong_code_is_counted_by_kind() -> None:
    kinds = bad_requests()
    samples = [Sample(index, 0.1, None, kind.code) for index, kind in enumerate(kinds)]
    samples.append(Sample(len(kinds), 0.1, None, "internal"))  # the first kind once more
    assert wrongly_answered(Run(samples)) == {f"{kinds[0].name}: internal": 1}


def test_batches_are_read_by_model() -> None:
    assert batches_from(PROMETHEUS, "expert") == {1: 3, 8: 12}
    assert batches_from(PROMETHEUS, "router") == {}


def test_batches_between_two_readings() -> None:
    assert batches_between({1: 3, 8: 12}, {1: 3, 4: 2, 8: 20}) == {4: 2, 8: 8}


def test_how_full_the_batches_were() -> None:
    assert mean_size({4: 2, 8: 8}) == pytest.approx(7.2)
    assert full_fraction({4: 2, 8: 8}, 8) == pytest.approx(0.8)
    assert mean_size({}) == full_fraction({}, 8) == 0.0


def test_clients_are_shared_out_without_idle_processes() -> None:
    assert shared_out(10, 4) == [3, 3, 2, 2]
    assert shared_out(1, 4) == [1]


def test_runs_of_several_processes_become_one() -> None:
    both = together([Run([answered(0), answered(1)], 2.0), Run([answered(0)], 3.0)])
    assert [sample.index for sample in both.samples] == [0, 1, 2]
    assert both.per_second == 1.0


def test_the_bare_loop_measures_at_least_the_count() -> None:
    seen: list[int] = []

    def step(batch: Sequence[bytes]) -> None:
        seen.append(len(batch))

    loop = BareLoop("expert", Path(), Path(), batch_size=4, count=10)
    assert loop_per_second(step, [b"a", b"b", b"c"], loop) > 0
    assert seen == [4] * (3 + 3)  # three to warm up, three to reach ten pictures


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_only_the_batch_size_of_the_shipped_workflow_changes(device: str, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    shipped = yaml.safe_load((root / "handlers" / f"fish.{device}.yaml").read_text())
    changed = yaml.safe_load(workflow_with(17, device=device, folder=tmp_path).read_text())
    assert changed["models"].pop("batch-size") == 17
    shipped["models"].pop("batch-size")
    assert changed == shipped


def test_the_best_point_of_each_model_is_told() -> None:
    slow = Point("expert", 8, 1, 100.0, 0.5, 9.0, 12.0, 0, 1.0, 0.0, {1: 5})
    fast = replace(slow, clients=64, per_second=190.0, ratio=0.95, mean_batch=8.0)
    other = replace(slow, model="zero_shot")
    figures = outcome_from([slow, fast, other], {("expert", 8): 200.0, ("zero_shot", 8): 200.0}).figures
    assert (figures["expert_per_second"], figures["expert_at"], figures["expert_mean_batch"]) == (190.0, "8x64", 8.0)


ROUNDS = [(1.0, 1.02), (1.1, 1.2), (0.9, 1.0)]


@pytest.mark.parametrize(
    ("rounds", "is_judged", "ratio", "is_reached"),
    [(ROUNDS, True, 1.02, True), ([(1.0, 1.05)], True, 1.05, False), ([(1.0, 2.0)], False, 2.0, None)],
    ids=["reached", "missed", "not judged"],
)
def test_a_long_list_is_judged_by_the_medians(
    rounds: list[tuple[float, float]], is_judged: bool, ratio: float, is_reached: bool | None
) -> None:
    outcome = species_lists_outcome(rounds, is_judged=is_judged)
    assert outcome.figures["ratio"] == pytest.approx(ratio)
    assert outcome.is_reached is is_reached


def test_the_species_lists_benchmark_runs_with_a_tiny_network() -> None:
    options = argparse.Namespace(pack="random", tiny=True, names=300, batch_size=2, rounds=2, device="cpu")
    outcome = measure_species_lists(options)
    assert len(outcome.details["rounds"]) == outcome.figures["rounds"] == 2
    assert all(seconds > 0 for row in outcome.details["rounds"] for seconds in row.values())
