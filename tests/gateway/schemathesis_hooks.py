"""What an OpenAPI description cannot say, told to schemathesis: it loads this file by its name."""

from __future__ import annotations

import io
import json
from typing import Any

import schemathesis
from hypothesis import strategies as st
from PIL import Image


def drawn(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), "teal").save(buffer, form)
    return buffer.getvalue()


# A schema cannot say which bytes are a picture.
schemathesis.openapi.format("binary", st.sampled_from([drawn(form) for form in ("JPEG", "PNG", "WEBP", "BMP")]))

schemathesis.openapi.format("printable", st.from_regex(r"[a-z]([a-z -]{0,30}[a-z])?", fullmatch=True))

# Names differ in more than case, which no schema can say either; these are the labels in a form.
NAMES = st.lists(st.sampled_from(["Pike", "Zander", "Nile tilapia"]), min_size=1, unique=True)
schemathesis.openapi.media_type("application/json", NAMES.map(lambda names: json.dumps(names).encode()))


@schemathesis.deserializer("application/x-ndjson")
def first_line(context: Any, response: Any) -> Any:
    return json.loads(response.content.splitlines()[0])


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Forgive what OpenAPI cannot say: that labels and a list exclude each other, and in which order parts stand."""
    return not any(said in response.content for said in (b"choose one of them", b"must stand before the first picture"))
