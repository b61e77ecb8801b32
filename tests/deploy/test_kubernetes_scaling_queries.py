"""What KEDA asks Prometheus: series that the gateway has, rates and never sums over all time, each model by its own.

And what an answer is where there are no figures.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gateway.observing import Stage
from gateway.running import Gateway
from gateway.settings import Settings
from tests.deploy.manifests import EXPERT, GATEWAY, ZERO_SHOT, named
from tests.deploy.prometheus_tools import tools
from tests.gateway.fake_engine import FakeEngine

MODEL_OF = {EXPERT: "expert", ZERO_SHOT: "zero_shot"}
SERIES = re.compile(r"\b((?:fishgate|process)_[a-z_]+)")
ONLY_GROW = ("_total", "_sum", "_count", "_bucket")
RATE = re.compile(r"\b(?:rate|increase)\((\w+)(?:\{[^}]*\})?\[\d+m\]\)")
CALM = re.compile(r"\bavg_over_time\((\w+)(?:\{[^}]*\})?\[\d+m\]\)")
WHILE_SCRAPED = " or 0 * count(fishgate_gateway_ready)"
"""What is 0 where a gateway has no such series yet, and nothing where no gateway is scraped."""


class StillEngine(FakeEngine):
    """An engine that needs no beginning and no end."""

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """All series of a gateway that has just begun, and has told of each stage once."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), port=0, grpc_port=0, access_log="")

    async def shown() -> str:
        gateway = Gateway(settings, most_connections=10, engine=StillEngine())
        await gateway.start()
        for stage in Stage:
            gateway.metrics.stage(stage.value, 0.1)
        gateway.metrics.waiting("expert", 0)
        text = gateway.metrics.text().decode()
        await gateway.stop()
        return text

    return {sample.name for family in text_string_to_metric_families(asyncio.run(shown())) for sample in family.samples}


def queries(component: str) -> dict[str, str]:
    scaled = named("cpu", "ScaledObject", f"fishgate-{component}")
    return {one["name"]: one["metadata"]["query"] for one in scaled["spec"]["triggers"]}


EVERY_QUERY = [
    pytest.param(query, id=f"{component}-{name}")
    for component in (GATEWAY, EXPERT, ZERO_SHOT)
    for name, query in queries(component).items()
]

ALWAYS_SHOWN = {
    "fishgate_gateway_ready": "1x60",
    "fishgate_gateway_process_cpu_seconds_total": "5x60",
    "fishgate_gateway_pictures_in_work": "0x60",
}
IDLE = {
    f'fishgate_gateway_stage_seconds_{suffix}{{stage="{stage}"{le}}}': "7x60"
    for stage in ("expert", "expert_queue", "zero_shot", "zero_shot_queue")
    for suffix, le in (("sum", ""), ("bucket", ',le="1"'), ("bucket", ',le="+Inf"'))
}
BUSY = {name: f"{values.partition('x')[0]}+9x8 stale" for name, values in {**ALWAYS_SHOWN, **IDLE}.items()}
SCENES = {
    "nothing was ever scraped": (False, {"up": "1x60"}),
    "busy gateways are not scraped any more": (False, BUSY),
    "a gateway that has just begun": (True, ALWAYS_SHOWN),
    "a gateway that nobody asks any more": (True, {**ALWAYS_SHOWN, **IDLE}),
}
"""Whether a gateway is scraped ten minutes after the beginning, and its series since then, one value in 15 s."""


@pytest.mark.parametrize("query", EVERY_QUERY)
def test_queries_ask_for_series_that_exist(query: str, series: set[str]) -> None:
    assert set(SERIES.findall(query)) <= series
    assert SERIES.findall(query)


@pytest.mark.parametrize("query", EVERY_QUERY)
def test_what_only_grows_is_asked_for_as_a_rate(query: str) -> None:
    asked = SERIES.findall(query.removesuffix(WHILE_SCRAPED))
    assert RATE.findall(query) == [name for name in asked if name.endswith(ONLY_GROW)]
    assert CALM.findall(query) == [name for name in asked if not name.endswith(ONLY_GROW)]


@pytest.mark.parametrize("component", MODEL_OF)
def test_each_model_is_scaled_by_its_own_series(component: str) -> None:
    model = MODEL_OF[component]
    other = ({*MODEL_OF.values()} - {model}).pop()
    for query in queries(component).values():
        named_ones = set(re.findall(r"(?:expert|zero_shot)(?:_queue)?", query))
        assert named_ones <= {stage.value for stage in Stage}
        assert named_ones & {model, f"{model}_queue"}
        assert not {name for name in named_ones if name.startswith(other)}


def test_prometheus_understands_the_queries(tmp_path: Path) -> None:
    rules = [
        {"record": f"fishgate:scaling_{number}", "expr": query.values[0]} for number, query in enumerate(EVERY_QUERY)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "scaling", "rules": rules}]}))
    done = subprocess.run([tools().promtool, "check", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.parametrize(("is_scraped", "given"), SCENES.values(), ids=SCENES)
def test_there_is_a_number_while_gateways_are_scraped_and_none_else(
    is_scraped: bool, given: dict[str, str], tmp_path: Path
) -> None:
    """None is an error to KEDA, which changes nothing then; a 0 would take all pods away but the fewest."""
    expected = [{"labels": "{}", "value": 0}] if is_scraped else []
    trials = [{"expr": query.values[0], "eval_time": "10m", "exp_samples": expected} for query in EVERY_QUERY]
    series = [{"series": name, "values": values} for name, values in given.items()]
    case = {"interval": "15s", "input_series": series, "promql_expr_test": trials}
    (tmp_path / "trial.yaml").write_text(yaml.safe_dump({"tests": [case]}))
    command = [tools().promtool, "test", "rules", "trial.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
