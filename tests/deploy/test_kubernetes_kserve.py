"""The KServe overlay: the same pods, and the cascade as the condition of a graph.

KServe itself runs in no test. What is tested here is what its documents and its router's source say it does with
what we give it: a condition holds if a GJSON query over the last step's reply finds something.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from fishgate.answer import Candidate, Opinion, Source
from fishgate.errors import UnsupportedImage
from fishgate.gate import judge
from fishgate.model_card import Kind, read_card
from fishgate.options import Options
from fishgate.taxonomy import Rank
from fishgate.wire import reply
from gateway.backend import TORCHSERVE_NAMES
from tests.conftest import ROOT
from tests.deploy.kustomizing import Object
from tests.deploy.manifests import EXPERT, PACKS, ZERO_SHOT, named, of_kind, workload

CONDITION = re.compile(r"\[@this]\.#\((\w+)<([0-9.]+)\)")
"""The one form of a GJSON query that is used here: finds the reply itself if a field of it is below a number."""

THRESHOLD = read_card(ROOT / "models" / "expert" / "demo", kind=Kind.EXPERT).gate.threshold


def steps() -> list[Object]:
    (root,) = named("kserve", "InferenceGraph", "fishgate-graph")["spec"]["nodes"].values()
    assert root["routerType"] == "Sequence"
    return list(root["steps"])


def holds(condition: str, body: bytes) -> bool:
    """What KServe's router makes of a condition of this form."""
    read = CONDITION.fullmatch(condition)
    assert read, f"the tests understand no {condition!r}"
    value: Any = json.loads(body).get(read[1])
    return isinstance(value, float) and value < float(read[2])


def opinion(certainty: float) -> Opinion:
    carp = Candidate(label="Carp", scientific_name="Cyprinus carpio", rank=Rank.SPECIES, confidence=0.9)
    return Opinion(source=Source.EXPERT, model="demo", certainty=certainty, threshold=THRESHOLD, candidates=(carp,))


@pytest.mark.parametrize("certainty", [0.0, 0.5, THRESHOLD - 1e-6, THRESHOLD, THRESHOLD + 1e-6, 1.0])
def test_the_condition_decides_as_the_gate_does(certainty: float) -> None:
    expert = opinion(round(certainty, 6))
    assert holds(steps()[1]["condition"], reply(expert)) == judge(expert, Options()).deferred


def test_a_bad_picture_goes_no_further() -> None:
    expert, zero_shot = steps()
    assert "condition" not in expert
    assert expert["dependency"] == "Hard"
    assert not holds(zero_shot["condition"], reply(UnsupportedImage("no picture")))


def test_zero_shot_is_asked_about_the_picture_and_not_about_the_answer() -> None:
    assert steps()[1]["data"] == "$request"


@pytest.mark.parametrize(("step", "model", "component"), [(0, "expert", EXPERT), (1, "zero_shot", ZERO_SHOT)])
def test_steps_ask_the_models_by_torchserves_names(step: int, model: str, component: str) -> None:
    url = urlsplit(steps()[step]["serviceUrl"])
    assert steps()[step]["name"] == model
    assert url.path == f"/predictions/{TORCHSERVE_NAMES[model]}"
    service = named("kserve", "Service", str(url.hostname))
    assert "clusterIP" not in service["spec"], "the router opens connections to the one address that it gets"
    assert url.port == service["spec"]["ports"][0]["port"]
    assert service["spec"]["selector"].items() <= workload("kserve", component).labels.items()


@pytest.mark.parametrize("packs", ["", *(f"+{name}" for name in PACKS)])
@pytest.mark.parametrize("component", [EXPERT, ZERO_SHOT])
def test_kserve_runs_the_pods_of_the_base(component: str, packs: str) -> None:
    with_kserve, plain = workload(f"kserve{packs}", component), workload(f"cpu{packs}", component)
    assert with_kserve.command == [word for word in plain.command if word != "--device=cpu"]
    same = ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "resources", "volumeMounts", "image")
    assert {key: with_kserve.container[key] for key in same} == {key: plain.container[key] for key in same}
    assert with_kserve.labels == plain.labels
    shared = set(plain.pod) & set(with_kserve.pod) - {"containers"}
    assert {key: with_kserve.pod[key] for key in shared} == {key: plain.pod[key] for key in shared}
    assert set(plain.pod) <= set(with_kserve.pod)


def test_what_kserve_makes_takes_no_name_of_ours() -> None:
    made = {one["metadata"]["name"] for one in of_kind("kserve", "InferenceService")}
    made |= {f"{name}-predictor" for name in made} | {"fishgate-graph"}
    ours = {one["metadata"]["name"] for kind in ("Service", "Deployment") for one in of_kind("kserve", kind)}
    assert made & ours == set()
