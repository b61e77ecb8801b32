"""From TorchServe's request message to Fishgate's request.

Owns which model can be asked for, and that picture and options are entries of the input, named as form fields are.
"""

from __future__ import annotations

from fishgate.wire import Request, request_from_fields
from gateway.errors import NotFound
from gateway.rpc.generated.inference_pb2 import PredictionsRequest

MODEL = "fish"
"""The only model: the whole cascade, by the name of TorchServe's workflow."""


def request_from(message: PredictionsRequest) -> Request:
    """Read a request; raise NotFound for another model, EmptyImage or InvalidOption for a wrong input."""
    if message.model_name != MODEL:
        raise NotFound(f"there is no model {message.model_name[:80]!r}; ask {MODEL!r}, which is the whole cascade")
    if message.model_version:
        raise NotFound(f"the model {MODEL!r} has no versions to choose from; leave model_version empty")
    return request_from_fields(dict(message.input))
