"""TorchServe's own doors: REST and gRPC, inference, management and metrics."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import grpc
import jsonschema
import pytest
import requests
from grpc_tools import protoc
from prometheus_client.parser import text_string_to_metric_families

from server.bootstrap import ROOT
from server.management import MODEL_NAMES, TorchServe
from tests.e2e.conftest import SAMPLE

API = ROOT / "docs" / "api"
OPINION = json.loads((API / "opinion.schema.json").read_text())
MODELS = ("fish__expert", "zero_shot")
LEGACY_ROUTES = ("fish__expert/predict", "models/fish__expert/invoke", "invocations?model_name=fish__expert")


def predict(server: TorchServe, route: str, picture: bytes, **form: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {server.token('inference')}"}
    url = f"{server.settings.url}/{route}"
    return requests.post(url, files={"data": ("picture", picture)}, data=form, headers=headers, timeout=60)


@pytest.mark.parametrize("model", MODELS)
def test_rest_prediction_is_a_plain_opinion(demo: TorchServe, model: str) -> None:
    reply = predict(demo, f"predictions/{model}", SAMPLE, top_k="3")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("application/json")
    jsonschema.validate(reply.json(), OPINION)
    assert len(reply.json()["candidates"]) == 3


@pytest.mark.parametrize("model", MODELS)
def test_rest_error_has_its_true_status(demo: TorchServe, model: str) -> None:
    reply = predict(demo, f"predictions/{model}", b"this is no picture")
    assert (reply.status_code, reply.json()["error"]["code"]) == (415, "unsupported_image")


@pytest.mark.parametrize("route", ["predictions/fish__expert", *LEGACY_ROUTES])
def test_no_route_gives_the_picture_back(demo: TorchServe, route: str) -> None:
    reply = predict(demo, route, SAMPLE, threshold="1")
    assert reply.status_code == 200
    assert len(reply.content) < len(SAMPLE) / 4  # candidates and the masses of all ranks, but no picture
    assert isinstance(reply.json(), dict)
    assert SAMPLE[:64] not in reply.content


def test_request_without_token_is_refused(demo: TorchServe) -> None:
    for url in (f"{demo.settings.url}/predictions/zero_shot", f"{demo.settings.management_url}/models"):
        assert requests.post(url, data=SAMPLE, timeout=30).status_code == 400


@pytest.mark.parametrize("archive", ["http://127.0.0.1:1/expert.mar", "file:///tmp/expert.mar", "../expert.mar"])
def test_no_archive_from_outside_the_store_can_be_registered(demo: TorchServe, archive: str) -> None:
    headers = {"Authorization": f"Bearer {demo.token('management')}"}
    url = f"{demo.settings.management_url}/models"
    reply = requests.post(url, params={"url": archive}, headers=headers, timeout=30)
    assert reply.status_code in (400, 403, 404), reply.text


def test_no_model_can_be_registered_with_another_token(demo: TorchServe) -> None:
    headers = {"Authorization": f"Bearer {demo.token('inference')}"}
    url = f"{demo.settings.management_url}/models"
    assert requests.post(url, params={"url": "expert.mar"}, headers=headers, timeout=30).status_code == 400


def test_describe_and_scale_over_rest(demo: TorchServe) -> None:
    assert demo.describe("expert")["batchSize"] == 8
    assert [worker["status"] for worker in demo.scale("expert", 2)["workers"]] == ["READY", "READY"]
    assert len(demo.scale("expert", 1)["workers"]) == 1
    assert demo.identify(SAMPLE)["label"] == "Gold Fish"


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Client code generated from the .proto files in docs/api."""
    folder = tmp_path_factory.mktemp("stubs")
    includes = [f"-I{API / 'protos'}", f"-I{Path(grpc.__file__).parent.parent / 'grpc_tools' / '_proto'}"]
    includes.append(f"-I{Path(grpc.__file__).parent.parent}")
    arguments = ["protoc", *includes, f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert protoc.main([*arguments, "inference.proto", "management.proto"]) == 0
    sys.path.insert(0, str(folder))
    names = ("inference_pb2", "inference_pb2_grpc", "management_pb2", "management_pb2_grpc")
    yield SimpleNamespace(**{name: _imported(name) for name in names})
    sys.path.remove(str(folder))


def _imported(name: str) -> ModuleType:
    return __import__(name)


def metadata(server: TorchServe, kind: str) -> tuple[tuple[str, str], ...]:
    return (("protocol", "gRPC"), ("channel", kind), ("authorization", f"Bearer {server.token(kind)}"))


@pytest.fixture
def inference(demo: TorchServe, stubs: SimpleNamespace) -> Iterator[Any]:
    with grpc.insecure_channel(f"127.0.0.1:{demo.settings.ports.grpc_inference}") as channel:
        yield stubs.inference_pb2_grpc.InferenceAPIsServiceStub(channel)


@pytest.fixture
def management(demo: TorchServe, stubs: SimpleNamespace) -> Iterator[Any]:
    with grpc.insecure_channel(f"127.0.0.1:{demo.settings.ports.grpc_management}") as channel:
        yield stubs.management_pb2_grpc.ManagementAPIsServiceStub(channel)


@pytest.mark.parametrize("model", MODELS)
def test_grpc_prediction_is_a_plain_opinion(demo: TorchServe, stubs: Any, inference: Any, model: str) -> None:
    request = stubs.inference_pb2.PredictionsRequest(model_name=model, input={"data": SAMPLE, "top_k": b"2"})
    reply = inference.Predictions(request, metadata=metadata(demo, "inference"), timeout=60)
    opinion = json.loads(reply.prediction)
    jsonschema.validate(opinion, OPINION)
    assert len(opinion["candidates"]) == 2


def test_grpc_bad_picture_gets_the_error_as_its_answer(demo: TorchServe, stubs: Any, inference: Any) -> None:
    request = stubs.inference_pb2.PredictionsRequest(model_name="fish__expert", input={"data": b"no picture"})
    reply = inference.Predictions(request, metadata=metadata(demo, "inference"), timeout=60)
    assert json.loads(reply.prediction)["error"]["code"] == "unsupported_image"


def test_grpc_management_describes_and_scales(demo: TorchServe, stubs: Any, management: Any) -> None:
    token = metadata(demo, "management")
    describe = stubs.management_pb2.DescribeModelRequest(model_name="zero_shot")
    assert json.loads(management.DescribeModel(describe, metadata=token, timeout=60).msg)[0]["modelName"] == "zero_shot"
    for workers in (2, 1):
        scale = stubs.management_pb2.ScaleWorkerRequest(
            model_name="zero_shot", min_worker=workers, max_worker=workers, synchronous=True, timeout=120
        )
        management.ScaleWorker(scale, metadata=token, timeout=180)
        assert len(demo.describe("zero_shot")["workers"]) == workers


def test_metrics_count_what_happened(demo: TorchServe) -> None:
    before = scraped(demo)
    demo.identify(SAMPLE, {"threshold": "0"})
    demo.identify(SAMPLE, {"threshold": "1"})
    demo.identify(b"no picture")
    after = scraped(demo, until={"fishgate_identifications_total": total(before, "fishgate_identifications_total") + 3})
    grown = {name: total(after, name) - total(before, name) for name in after}
    assert grown["fishgate_identifications_total"] == 3
    assert grown["fishgate_deferrals_total"] == 1
    assert grown["fishgate_errors_total"] == 1
    assert grown["fishgate_expert_confidence_count"] == 2
    assert grown["fishgate_batches_total"] >= 4
    assert {labels["stage"] for labels, _ in after["fishgate_stage_seconds_count"]} == {
        "decode",
        "forward",
        "zero_shot_call",
    }


Samples = dict[str, list[tuple[dict[str, str], float]]]


def scraped(server: TorchServe, until: dict[str, float] | None = None) -> Samples:
    """Read the metrics port; workers' metrics arrive there a moment after the answer."""
    for _ in range(100):
        samples: Samples = {}
        for family in text_string_to_metric_families(requests.get(server.settings.metrics_url, timeout=30).text):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        if all(total(samples, name) >= value for name, value in (until or {}).items()):
            return samples
    return samples


def total(samples: Samples, name: str) -> float:
    return sum(value for _, value in samples.get(name, []))


def test_all_three_models_are_there(demo: TorchServe) -> None:
    assert {demo.describe(model)["modelName"] for model in MODEL_NAMES} == set(MODEL_NAMES.values())
