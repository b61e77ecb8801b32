"""The token is read when it is needed, and again after it was refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fishgate.errors import InternalError
from fishgate.inference_token import InferenceToken


def write(path: Path, key: str) -> None:
    path.write_text(f'{{"inference": {{"key": "{key}"}}, "management": {{"key": "other"}}}}')


def test_without_a_key_file_there_is_no_header() -> None:
    assert InferenceToken(None).headers() == {}


def test_the_token_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "key_file.json"
    write(path, "first")
    token = InferenceToken(path)
    assert token.headers() == {"Authorization": "Bearer first"}
    write(path, "second")
    assert token.headers() == {"Authorization": "Bearer first"}
    token.forget()
    assert token.headers() == {"Authorization": "Bearer second"}


@pytest.mark.parametrize("content", [None, "{", "{}", '{"inference": 1}', "[]"], ids=repr)
def test_a_file_without_a_token_is_an_error_that_names_no_path(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "key_file.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InternalError, match="TorchServe's key file cannot be read") as caught:
        InferenceToken(path).headers()
    assert str(tmp_path) not in str(caught.value)
