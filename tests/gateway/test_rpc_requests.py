"""What a TorchServe client sends is read as a form is."""

from __future__ import annotations

import pytest

from fishgate.errors import EmptyImage, FishgateError, InvalidOption
from fishgate.options import Options
from gateway.errors import NotFound
from gateway.rpc.generated.inference_pb2 import PredictionsRequest
from gateway.rpc.requests import request_from


@pytest.mark.parametrize("field", ["data", "body", "picture", "image", "file"])
def test_the_picture_is_one_entry_of_the_input(field: str) -> None:
    request = request_from(PredictionsRequest(model_name="fish", input={field: b"bytes"}))
    assert (request.picture, request.options) == (b"bytes", Options())


def test_options_are_further_entries() -> None:
    fields = {"data": b"bytes", "top_k": b"2", "labels": '["Tench", "Äsche"]'.encode(), "threshold": b"0.5"}
    request = request_from(PredictionsRequest(model_name="fish", input=fields))
    assert request.options == Options(top_k=2, labels=("Tench", "Äsche"), threshold=0.5)


@pytest.mark.parametrize(
    ("message", "kind", "told"),
    [
        (PredictionsRequest(model_name="zero_shot"), NotFound, "no model 'zero_shot'; ask 'fish'"),
        (PredictionsRequest(), NotFound, "no model ''; ask 'fish'"),
        (PredictionsRequest(model_name="fish", model_version="2.0"), NotFound, "leave model_version empty"),
        (PredictionsRequest(model_name="fish"), EmptyImage, "carries no picture"),
        (PredictionsRequest(model_name="fish", input={"data": b"a", "body": b"b"}), InvalidOption, "one picture"),
        (PredictionsRequest(model_name="fish", input={"data": b"a", "colour": b"blue"}), InvalidOption, "'colour'"),
        (PredictionsRequest(model_name="fish", input={"data": b"a", "top_k": b"\xff"}), InvalidOption, "UTF-8"),
    ],
    ids=["other model", "no model", "version", "no picture", "two pictures", "unknown option", "no text"],
)
def test_a_wrong_request_is_refused(message: PredictionsRequest, kind: type[FishgateError], told: str) -> None:
    with pytest.raises(kind, match=told):
        request_from(message)
